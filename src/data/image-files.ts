/** The images below a folder, as torchvision's ImageFolder finds them: links are followed; what is no image is counted by kind. */
import { opendirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { DataError, messageOf } from '../errors.js';

/** Whose files sharp decodes. */
const decoded = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff']);
/** Folders that tools leave behind. */
const leftBehind = new Set(['__MACOSX']);
const droppings = /^(thumbs\.db|desktop\.ini)$/i;

/** How many entries were no image, by kind: `hidden`, `broken link`, `empty file`, `.bmp`, ... */
export type Skipped = Map<string, number>;

/** Entries of a folder by name. Throws DataError naming the folder where it cannot be read. */
function namesIn(folder: string): string[] {
  try {
    const names: string[] = [];
    const directory = opendirSync(folder);
    try {
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) names.push(entry.name);
    } finally {
      directory.closeSync();
    }
    return names.sort();
  } catch (error) {
    throw new DataError(`The folder ${folder} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

/** What a name stands for, links followed; undefined for a link to nothing, or to itself. */
function target(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return undefined;
    throw new DataError(`${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

const isHidden = (name: string): boolean => name.startsWith('.') || leftBehind.has(name) || droppings.test(name);

/** Folders, and links to folders, below one, in the order in which classes are numbered. */
export function classFolders(folder: string): string[] {
  return namesIn(folder).filter((name) => !isHidden(name) && target(join(folder, name))?.isDirectory());
}

/** The images below a folder, relative to it, in the order of their names. What is skipped is added to `skipped`. */
export function imagesBelow(folder: string, skipped: Skipped): string[] {
  const count = (kind: string) => skipped.set(kind, (skipped.get(kind) ?? 0) + 1);
  const kindOf = (name: string, found: Stats | undefined): string | undefined => {
    if (isHidden(name)) return 'hidden';
    if (!found) return 'broken link';
    if (!found.isFile()) return 'no regular file';
    const extension = extname(name).toLowerCase();
    if (!decoded.has(extension)) return extension || 'without extension';
    return found.size === 0 ? 'empty file' : undefined;
  };
  const walk = (path: string, prefix: string, above: readonly string[]): string[] => {
    const here = realpathSync(path);
    if (above.includes(here)) {
      count('link to a folder above');
      return [];
    }
    return namesIn(path).flatMap((name) => {
      const file = join(path, name);
      const found = isHidden(name) ? undefined : target(file);
      if (found?.isDirectory()) return walk(file, `${prefix}${name}/`, [...above, here]);
      const kind = kindOf(name, found);
      if (kind === undefined) return [`${prefix}${name}`];
      count(kind);
      return [];
    });
  };
  return walk(folder, '', []).sort();
}

/** `3 .bmp, 2 hidden`, the most frequent first; undefined where nothing was skipped. */
export function skippedText(skipped: Skipped): string | undefined {
  if (skipped.size === 0) return undefined;
  const kinds = [...skipped].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));
  return kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
}
