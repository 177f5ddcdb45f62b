/**
 * The checksum of a whole safetensors file, stored in its metadata: CRC-32 in hexadecimal, computed with zeros in place
 * of the digits. Other programs see one more metadata entry.
 */
import { crc32 } from 'node:zlib';
import { DamagedError } from '../errors.js';
import type { Input } from './input.js';

export const checksumKey = 'srrl.crc32';
export const noChecksum = '00000000';
const field = new RegExp(`"${checksumKey.replace('.', '\\.')}"\\s*:\\s*"(?=[0-9a-f]{${noChecksum.length}}")`);

/** Continues a CRC-32: `checksum` covers the bytes so far, and `bytes` follow. */
export const continued = (bytes: Uint8Array, checksum: number): number =>
  // For an empty buffer without memory, zlib returns the initial value instead of `checksum`.
  bytes.byteLength === 0 ? checksum : crc32(bytes, checksum);

/** Formats a checksum as hexadecimal digits. */
export const withChecksum = (checksum: number): Buffer =>
  Buffer.from(checksum.toString(16).padStart(noChecksum.length, '0'));

/** Returns the offset of the digits in a header; undefined if it has no checksum. */
export function placeOfChecksum(header: Buffer): number | undefined {
  // Latin-1 maps each byte to one character, so indices are byte offsets.
  const found = field.exec(header.toString('latin1'));
  return found ? found.index + found[0].length : undefined;
}

/** Compares a file with the checksum at offset `place`. Throws DamagedError if they differ. */
export function checkWhole(input: Input, place: number): void {
  const digits = input.take(place, noChecksum.length).toString('latin1');
  let checksum = 0;
  let at = 0;
  for (const part of input.parts()) {
    const begin = Math.max(0, place - at);
    // The digits may cross the boundary of two parts.
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
