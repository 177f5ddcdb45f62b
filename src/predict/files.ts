/** Finds images by command-line arguments: files, folders, and standard input. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { imageExtensions, imagesBelow } from '../data/image-files.js';
import { type Skipped, skippedText } from '../data/walk.js';
import { ConfigError, DataError } from '../errors.js';

/** The argument that means the bytes of one image on standard input. */
export const standardInput = '-';

/**
 * Lists the images of files and folders, in their order; those below a folder by name. In folders, files without an
 * image extension are skipped and reported. A file is listed whatever its name, even if it is missing: reading it
 * reports the error. Throws DataError if a folder contains no image.
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
