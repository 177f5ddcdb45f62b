/** Recognizes images by file name, and lists those below a folder as torchvision's ImageFolder does. */
import { extname } from 'node:path';
import { entriesBelow, type Skipped, skip } from './walk.js';

/** Extensions of the files that are decoded. */
const decoded = ['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff'];

/** The extensions as text, for messages. */
export const imageExtensions = `${decoded.slice(0, -1).join(', ')} or ${decoded.at(-1)}`;

/** Whether an extension, with its dot and in any case, is that of a supported image format. */
export const isOfImages = (extension: string): boolean => decoded.includes(extension.toLowerCase());

/** Lists the images below a folder, as relative paths sorted by name. Skipped files are added to `skipped`. */
export function imagesBelow(folder: string, skipped: Skipped): string[] {
  const images: string[] = [];
  for (const { name, size, kind } of entriesBelow(folder)) {
    const other = isOfImages(extname(name)) ? undefined : extname(name).toLowerCase() || 'without extension';
    const reason = kind ?? other ?? (size === 0 ? 'empty file' : undefined);
    if (reason === undefined) images.push(name);
    else skip(skipped, reason);
  }
  return images.sort();
}
