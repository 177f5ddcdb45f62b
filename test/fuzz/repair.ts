/**
 * Checksums of changed files, written anew. With the old ones a reader would refuse nearly every changed file at once,
 * and what it does behind the checksum would not be tried.
 */
import { crc32, inflateRawSync } from 'node:zlib';

const block = 512;

/** The sum of all bytes of a tar header, those of the sum itself taken as blanks. */
export function writeTarSum(header: Buffer): void {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

/** The sum of each header, as far as the sizes lead from one to the next. */
export function repairTar(bytes: Buffer): Buffer {
  for (let at = 0; at + block <= bytes.length; ) {
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) break;
    writeTarSum(header);
    const size = Number.parseInt(header.toString('latin1', 124, 136), 8);
    at += block + (size > 0 ? Math.ceil(size / block) * block : 0);
  }
  return bytes;
}

/** The CRC-32 of each entry of a zip archive, in the directory and in front of the entry. */
export function repairZip(bytes: Buffer): Buffer {
  const end = bytes.lastIndexOf('PK\x05\x06');
  if (end < 0 || end + 22 > bytes.length) return bytes;
  for (let at = bytes.readUInt32LE(end + 16); at + 46 <= end && bytes.readUInt32LE(at) === 0x02014b50; ) {
    const [method, size, offset] = [
      bytes.readUInt16LE(at + 10),
      bytes.readUInt32LE(at + 20),
      bytes.readUInt32LE(at + 42),
    ];
    if (offset + 30 <= bytes.length) {
      const begin = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
      const sum = sumOf(bytes.subarray(begin, begin + size), method);
      bytes.writeUInt32LE(sum, at + 16);
      bytes.writeUInt32LE(sum, offset + 14);
    }
    at += 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return bytes;
}

function sumOf(content: Buffer, method: number): number {
  try {
    return crc32(method === 8 ? inflateRawSync(content, { maxOutputLength: 2 ** 20 }) : content);
  } catch {
    return 0;
  }
}
