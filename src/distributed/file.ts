import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRank } from './group.js';
import { bytesNow, numbersNow } from './immediate.js';

/**
 * Makes a file of rank 0 available on every rank, also without a shared disk: other ranks get a temporary copy, which
 * `dispose` deletes. Returns undefined if no rank passes a path.
 */
export function fileOfFirst(path: string | undefined): { path: string; dispose(): void } | undefined {
  const [exists = 0] = numbersNow([path === undefined ? 0 : 1], 'max');
  if (exists === 0) return undefined;
  const bytes = bytesNow(path === undefined ? undefined : readFileSync(path));
  if (path !== undefined && getRank() === 0) return { path, dispose() {} };
  const folder = mkdtempSync(join(tmpdir(), 'srrl-'));
  const copy = join(folder, 'copy');
  writeFileSync(copy, bytes);
  return { path: copy, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}
