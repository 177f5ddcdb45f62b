/**
 * The checksum of a whole safetensors file, inside the file: CRC-32 in hexadecimal digits among its metadata, taken
 * while zeros stand where the digits are. Other programs see one text more in the metadata.
 */
import { crc32 } from 'node:zlib';
import { DamagedError } from '../errors.js';
import type { Input } from './input.js';

export const checksumKey = 'srrl.crc32';
export const noChecksum = '00000000';
const field = new RegExp(`"${checksumKey.replace('.', '\\.')}"\\s*:\\s*"(?=[0-9a-f]{${noChecksum.length}}")`);

/** The CRC-32 of what had `checksum` so far and of these bytes behind it. */
export const continued = (bytes: Uint8Array, checksum: number): number =>
  // Of an empty buffer without memory, zlib returns where it begins and not where it was.
  bytes.byteLength === 0 ? checksum : crc32(bytes, checksum);

/** The digits. */
export const withChecksum = (checksum: number): Buffer =>
  Buffer.from(checksum.toString(16).padStart(noChecksum.length, '0'));

/** Where the digits begin in the bytes of a header; undefined where it has none. */
export function placeOfChecksum(header: Buffer): number | undefined {
  // One character a byte, so that places are those of bytes.
  const found = field.exec(header.toString('latin1'));
  return found ? found.index + found[0].length : undefined;
}

/** Throws DamagedError where the file is not what its digits, at `place`, say. */
export function checkWhole(input: Input, place: number): void {
  const digits = input.take(place, noChecksum.length).toString('latin1');
  let checksum = 0;
  let at = 0;
  for (const part of input.parts()) {
    const begin = Math.max(0, place - at);
    // The digits may lie across the border of two parts.
    const end = Math.min(part.length, place + noChecksum.length - at);
    if (begin < end) part.fill('0', begin, end);
    checksum = continued(part, checksum);
    at += part.length;
  }
  if (withChecksum(checksum).toString() === digits) return;
  throw new DamagedError(
    `it is damaged: its checksum is ${withChecksum(checksum)}, and should be ${digits}. Copy or write it again. ` +
      `If another program changed it on purpose, let that leave out '${checksumKey}' of the metadata.`,
  );
}
