/** Which files are images, by their names, and the images below a folder, as torchvision's ImageFolder finds them. */
import { extname } from 'node:path';
import { entriesBelow, type Skipped, skip } from './walk.js';

/** Of the files that are decoded. */
const decoded = ['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff'];

/** For messages. */
export const imageExtensions = `${decoded.slice(0, -1).join(', ')} or ${decoded.at(-1)}`;

/** Whether an extension, with its dot and in whatever case, is that of images which can be decoded. */
export const isOfImages = (extension: string): boolean => decoded.includes(extension.toLowerCase());

/** The images below a folder, relative to it, in the order of their names. What is skipped is added to `skipped`. */
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
