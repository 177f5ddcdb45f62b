/** Random access to the entries of an untrusted zip archive. */
import { crc32, inflateRawSync } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { FileError } from '../errors.js';
import type { Input } from './input.js';

const stored = 0;
const deflated = 8;
// The maximum compression ratio of deflate.
const largestRatio = 1032;
/** The most bytes that the compressed entries of an archive may unpack to by default. */
export const mostInflated = 2 ** 30;

/** Serves yauzl's reads; turns an invalid position into an error instead of an uncaught exception. */
class Reader extends RandomAccessReader {
  constructor(private readonly input: Input) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    let failure: Error | null = null;
    try {
      this.input.read(buffer.subarray(offset, offset + length), position);
    } catch (error) {
      failure = error as Error;
    }
    setImmediate(callback, failure);
  }
}

/** An open archive; its entries by name. */
export class ZipReader {
  private constructor(
    private readonly input: Input,
    private readonly zip: ZipFile,
    private readonly entries: Map<string, Entry>,
  ) {}

  /**
   * Opens an archive and reads its directory. Throws FileError if names repeat, entry sizes are inconsistent, or the
   * compressed entries unpack to more than `limit` bytes.
   */
  static async open(input: Input, limit = mostInflated): Promise<ZipReader> {
    const zip = await fromRandomAccessReaderPromise(new Reader(input), input.size, { autoClose: false });
    const entries = new Map<string, Entry>();
    let [total, inflated] = [0, 0];
    for await (const entry of zip.eachEntry()) {
      if (entries.has(entry.fileName)) throw new FileError(`'${entry.fileName}' is twice in the archive.`);
      total += entry.compressedSize;
      checkSizes(entry);
      // Overlapping entries could expand a small file into a lot of data.
      if (total > input.size) throw new FileError('the entries of the archive are larger than the archive.');
      if (entry.compressionMethod === deflated) inflated += entry.uncompressedSize;
      if (inflated > limit)
        throw new FileError(`its compressed entries unpack to ${inflated} bytes or more; the limit is ${limit}.`);
      entries.set(entry.fileName, entry);
    }
    return new ZipReader(input, zip, entries);
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Returns the uncompressed size of an entry in bytes. */
  size(name: string): number {
    return this.#entry(name).uncompressedSize;
  }

  /** Reads the content of an entry and checks it against its CRC-32. */
  async read(name: string): Promise<Buffer> {
    const entry = this.#entry(name);
    const { fileDataStart } = await this.zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const raw = this.input.take(fileDataStart, entry.compressedSize);
    const content = entry.compressionMethod === stored ? raw : inflate(raw, entry);
    if (crc32(content) !== entry.crc32) throw new FileError(`'${name}' in the archive is damaged (CRC-32 differs).`);
    return content;
  }

  #entry(name: string): Entry {
    const entry = this.entries.get(name);
    if (!entry) throw new FileError(`the archive holds no '${name}'.`);
    return entry;
  }
}

function checkSizes({ fileName, compressionMethod, compressedSize, uncompressedSize, ...entry }: Entry): void {
  if (compressionMethod !== stored && compressionMethod !== deflated)
    throw new FileError(`'${fileName}' is packed by method ${compressionMethod}; only stored and deflated are read.`);
  if (entry.generalPurposeBitFlag & 1) throw new FileError(`'${fileName}' is encrypted.`);
  const most = compressionMethod === stored ? compressedSize : compressedSize * largestRatio;
  if (uncompressedSize > most || (compressionMethod === stored && uncompressedSize !== compressedSize))
    throw new FileError(`'${fileName}' cannot be as large as the archive says; it is damaged.`);
}

function inflate(raw: Buffer, { fileName, uncompressedSize }: Entry): Buffer {
  // zlib accepts no limit of 0 and no chunk size below 64; with a single chunk it copies nothing.
  const content = inflateRawSync(raw, {
    maxOutputLength: Math.max(1, uncompressedSize),
    chunkSize: Math.max(64, uncompressedSize),
  });
  if (content.length !== uncompressedSize) throw new FileError(`'${fileName}' has another size than the archive says.`);
  return content;
}
