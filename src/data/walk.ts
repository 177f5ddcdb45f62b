/**
 * Walks folders of data as torchvision does: follows links, and reports by kind the entries that are not regular files.
 */
import { opendirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, messageOf } from '../errors.js';

/** Folders that archive tools leave behind. */
const leftBehind = new Set(['__MACOSX']);
const droppings = /^(thumbs\.db|desktop\.ini)$/i;

/** Number of skipped entries by kind: `hidden`, `broken link`, `empty file`, `.bmp`, ... */
export type Skipped = Map<string, number>;

/** Counts one more skipped entry of a kind. */
export const skip = (skipped: Skipped, kind: string): unknown => skipped.set(kind, (skipped.get(kind) ?? 0) + 1);

/** Formats the counts as `3 .bmp, 2 hidden`, the most frequent first; undefined if nothing was skipped. */
export function skippedText(skipped: Skipped): string | undefined {
  if (skipped.size === 0) return undefined;
  const kinds = [...skipped].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));
  return kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** Returns {@link skippedText} as the property of a data set. */
export function skippedOf(skipped: Skipped): { skipped?: string } {
  const text = skippedText(skipped);
  return text ? { skipped: text } : {};
}

/** An entry below a folder that is not a folder itself. */
export interface Entry {
  /** Path relative to the folder where the walk began, with `/` as separator. */
  name: string;
  size: number;
  /** Why the entry cannot be read; absent for a regular file that is not hidden. */
  kind?: 'hidden' | 'broken link' | 'no regular file' | 'link to a folder above';
}

/** Whether a file is hidden, or one that operating systems leave in folders. */
export const isHidden = (name: string): boolean => name.startsWith('.') || leftBehind.has(name) || droppings.test(name);

/** Lists the entries of a folder, sorted by name. Throws DataError naming the folder if it cannot be read. */
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

/** Follows links to a file or folder; undefined for a broken or circular link. */
function target(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return undefined;
    throw new DataError(`${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

/** Lists the subfolders of a folder, including links to folders, by name; hidden ones are left out. */
export function foldersIn(folder: string): string[] {
  return namesIn(folder).filter((name) => !isHidden(name) && target(join(folder, name))?.isDirectory());
}

/** Lists the entries directly in a folder that are not folders, by name. */
export function entriesIn(folder: string): Entry[] {
  return [...walk(folder, '', undefined)];
}

/** Lists all entries below a folder, recursing into folders and links to folders except hidden ones. */
export function entriesBelow(folder: string): Entry[] {
  return [...walk(folder, '', [])];
}

/** `above`: the folders that contain the current one, to detect links that form a cycle; undefined to not recurse. */
function* walk(path: string, prefix: string, above: readonly string[] | undefined): Generator<Entry> {
  const here = realpathSync(path);
  if (above?.includes(here)) {
    yield { name: prefix.slice(0, -1), size: 0, kind: 'link to a folder above' };
    return;
  }
  for (const own of namesIn(path)) {
    const name = prefix + own;
    const found = isHidden(own) ? undefined : target(join(path, own));
    if (isHidden(own)) yield { name, size: 0, kind: 'hidden' };
    else if (!found) yield { name, size: 0, kind: 'broken link' };
    else if (found.isDirectory() && above) yield* walk(join(path, own), `${name}/`, [...above, here]);
    else if (!found.isFile()) yield { name, size: 0, kind: 'no regular file' };
    else yield { name, size: found.size };
  }
}
