/** What `npm run fuzz:native` needs of its targets, which are compiled there only. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const folder = join(packageRoot, 'scripts', 'fuzz', 'native');
const targets = readdirSync(folder).flatMap((file) => file.match(/^(.+)\.cc$/)?.[1] ?? []);

it.each(targets)('the target %s names sources that exist, and has seeds', async (target) => {
  const text = readFileSync(join(folder, `${target}.cc`), 'utf8');
  const sources = text.match(/^\/\/ Sources: (.*)$/m)?.[1]?.split(' ') ?? [];
  expect(sources.length).toBeGreaterThan(0);
  expect(sources.filter((source) => !existsSync(join(packageRoot, source)))).toEqual([]);
  const { seeds } = (await import(join(folder, 'seeds.mjs'))) as { seeds: Record<string, () => Iterable<Uint8Array>> };
  const all = [...(seeds[target]?.() ?? [])];
  expect(all.length).toBeGreaterThan(0);
  expect(all.every((seed) => seed.length > 0)).toBe(true);
});
