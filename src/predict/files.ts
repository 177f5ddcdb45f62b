/** Images by the names that a command line has: files, folders, and standard input. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { imageExtensions, imagesBelow } from '../data/image-files.js';
import { type Skipped, skippedText } from '../data/walk.js';
import { ConfigError, DataError } from '../errors.js';

/** What stands for the bytes of one image on standard input. */
export const standardInput = '-';

/**
 * The images of files and folders, in their order; those of a folder, and of the folders in it, by name. What is no
 * image by its extension is skipped in folders, and told. A file is taken whatever its name is, also where it is
 * missing: whoever reads it says so. Throws DataError where a folder holds no image.
 */
export function imagesAt(paths: readonly string[]): { images: string[]; skipped?: string } {
  if (paths.filter((path) => path === standardInput).length > 1)
    throw new ConfigError(`Standard input (${standardInput}) holds one image: name it only once.`);
  const skipped: Skipped = new Map();
  const images = paths.flatMap((path) => {
    if (path === standardInput || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
    const found = imagesBelow(path, skipped);
    if (found.length === 0) throw new DataError(`${path} holds no image (${imageExtensions}).`);
    return found.map((name) => join(path, name));
  });
  const text = skippedText(skipped);
  return { images, ...(text !== undefined && { skipped: text }) };
}
