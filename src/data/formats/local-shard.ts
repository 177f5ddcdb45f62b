/** A tar shard in a local file. */
import { open } from 'node:fs/promises';
import { DataError, messageOf } from '../../errors.js';
import type { Skipped } from '../walk.js';
import { type Shard, samplesIn } from './shard.js';
import { readingOf, type TarEntry } from './tar.js';

/** Opens a shard. Throws DataError if the file is not a shard, or damaged. */
export const localShard = (file: string, skipped: Skipped): Shard => ({
  name: file,
  samples: readingOf(file, (size) => samplesIn(file, size, skipped)),
  async read(image) {
    try {
      return await partOf(file, image);
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(`${image.name} in ${file} cannot be read: ${messageOf(error)}.`, { cause: error });
    }
  },
});

/** Reads the bytes of an image; opens the file for this only, since there may be more shards than file descriptors. */
export async function partOf(file: string, { name, offset, size }: TarEntry): Promise<Buffer> {
  const handle = await open(file);
  try {
    const bytes = Buffer.alloc(size);
    for (let done = 0; done < size; ) {
      const { bytesRead } = await handle.read(bytes, done, size - done, offset + done);
      if (bytesRead === 0) throw new DataError(`${file} became shorter: ${name} is cut off. Copy it again.`);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
