/**
 * Walking folders of data as torchvision does: links are followed, and what is not a regular file is told apart by
 * kind.
 */
import { opendirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, messageOf } from '../errors.js';

/** Folders that tools leave behind. */
const leftBehind = new Set(['__MACOSX']);
const droppings = /^(thumbs\.db|desktop\.ini)$/i;

/** How many entries were skipped, by kind: `hidden`, `broken link`, `empty file`, `.bmp`, ... */
export type Skipped = Map<string, number>;

/** Counts one more entry of a kind. */
export const skip = (skipped: Skipped, kind: string): unknown => skipped.set(kind, (skipped.get(kind) ?? 0) + 1);

/** `3 .bmp, 2 hidden`, the most frequent first; undefined where nothing was skipped. */
export function skippedText(skipped: Skipped): string | undefined {
  if (skipped.size === 0) return undefined;
  const kinds = [...skipped].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));
  return kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** The same as a data set has it. */
export function skippedOf(skipped: Skipped): { skipped?: string } {
  const text = skippedText(skipped);
  return text ? { skipped: text } : {};
}

/** Something below a folder that is not a folder. */
export interface Entry {
  /** Below the folder where the walk began, with `/` between its parts. */
  name: string;
  size: number;
  /** Why nothing can be read from it; absent for a regular file that is not hidden. */
  kind?: 'hidden' | 'broken link' | 'no regular file' | 'link to a folder above';
}

/** Hidden files, and those that operating systems leave in folders. */
export const isHidden = (name: string): boolean => name.startsWith('.') || leftBehind.has(name) || droppings.test(name);

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

/** Folders, and links to folders, right below one, by name; none that is hidden. */
export function foldersIn(folder: string): string[] {
  return namesIn(folder).filter((name) => !isHidden(name) && target(join(folder, name))?.isDirectory());
}

/** What lies right in a folder and is not a folder, by name. */
export function entriesIn(folder: string): Entry[] {
  return [...walk(folder, '', undefined)];
}

/** What lies below a folder, folders and links to them gone through, but for hidden ones. */
export function entriesBelow(folder: string): Entry[] {
  return [...walk(folder, '', [])];
}

/**
 * `above`: the folders that the walk is in, which a link may lead back to; undefined where folders are not gone
 * through.
 */
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
