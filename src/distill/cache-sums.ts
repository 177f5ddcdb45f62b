/** Checksums of vectors: the CRC-32 of each row of a matrix, as int32. */
import { crc32 } from 'node:zlib';
import { bytesOf } from '../files/bytes.js';
import { fromArray, scope, type Tensor } from '../tensor/index.js';

/** The checksum of a missing vector. */
export const missing = 0;

/** Numbers of vectors: in total, missing, and different from their checksum. */
export interface Damage {
  count: number;
  absent: number;
  damaged: number;
}

/** Number of rows that are checked at once. */
const piece = 4096;

function* rowSums(rows: Tensor): Generator<number> {
  const bytes = bytesOf(rows);
  const [count = 0] = rows.shape;
  const width = bytes.length / count;
  // A checksum of 0 would mean a missing vector, so 1 replaces it.
  for (let row = 0; row < count; row++) yield crc32(bytes.subarray(row * width, (row + 1) * width)) | 0 || 1;
}

/** Returns the checksums, int32 [N], of rows [N, C] on the CPU. */
export const sumsOf = (rows: Tensor): Tensor => fromArray(Int32Array.from(rowSums(rows)));

/** Compares rows [N, C] with their checksums [N]. */
export function checkedRows(rows: Tensor, sums: Tensor): Damage {
  const found: Damage = { count: sums.shape[0] as number, absent: 0, damaged: 0 };
  forEachDamaged(rows, sums, (_row, sum) => {
    if (sum === missing) found.absent++;
    else found.damaged++;
  });
  return found;
}

/** Marks rows that differ from their checksum as missing. Returns their number. */
export function dropDamaged(rows: Tensor, sums: Tensor): number {
  const damaged: number[] = [];
  forEachDamaged(rows, sums, (row, sum) => {
    if (sum !== missing) damaged.push(row);
  });
  if (damaged.length > 0) scope(() => sums.indexFill_(0, fromArray(BigInt64Array.from(damaged, BigInt)), missing));
  return damaged.length;
}

function forEachDamaged(rows: Tensor, sums: Tensor, tell: (row: number, sum: number) => void): void {
  const count = sums.shape[0] as number;
  for (let begin = 0; begin < count; begin += piece) {
    const length = Math.min(piece, count - begin);
    scope(() => {
      const kept = sums.narrow(0, begin, length).toTypedArray() as Int32Array;
      let row = 0;
      for (const sum of rowSums(rows.narrow(0, begin, length))) {
        if (sum !== kept[row]) tell(begin + row, kept[row] as number);
        row++;
      }
    });
  }
}
