import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../errors.js';
import { entriesBelow, type Skipped, skip } from './walk.js';

export interface Found {
  /** Path to open the file by. */
  file: string;
  /** Path relative to the folder where the search began, with `/` as separator. */
  name: string;
}

/**
 * Finds files ending in `extension` below a folder, or matching a pattern with `*` (within a name) or `**` (across
 * folders), sorted by name. Matching files that are hidden or not regular are added to `skipped`. Throws DataError if
 * the folder does not exist.
 */
export function filesAt(place: string, extension: string, skipped: Skipped): Found[] {
  const star = place.indexOf('*');
  const base = star < 0 ? place : place.slice(0, place.lastIndexOf('/', star) + 1) || '.';
  if (!existsSync(base) || !statSync(base).isDirectory()) throw new DataError(`The folder ${base} does not exist.`);
  const pattern = star < 0 ? /^/ : asExpression(place.slice(base === '.' ? 0 : base.length));
  const found: Found[] = [];
  for (const { name, kind } of entriesBelow(base)) {
    if (!name.endsWith(extension) || !pattern.test(name)) continue;
    if (kind) skip(skipped, kind);
    else found.push({ file: join(base, name), name });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function asExpression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/|\*\*|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    return part === '*' ? '[^/]*' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}
