// Runs that take long, and that are killed, stopped and given another time: npm run test:endurance -- steps
//   npm run test:endurance                     all of them
//   npm run test:endurance -- kills --count 20
// Each is a file in scripts/long-run/; it prints a table and fails where its promise is broken. Needs dist/ and the addon.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ options: { count: { type: 'string' } }, allowPositionals: true });
const folder = new URL('long-run/', import.meta.url);
const known = readdirSync(folder)
  .filter((file) => !file.startsWith('child-'))
  .map((file) => file.replace(/\.mjs$/, ''));
for (const name of positionals) {
  if (known.includes(name)) continue;
  console.error(`There is no run ${name}; there are ${known.join(', ')}.`);
  process.exit(2);
}

for (const name of positionals.length > 0 ? positionals : known) {
  const { default: test } = await import(new URL(`${name}.mjs`, folder));
  const place = mkdtempSync(join(tmpdir(), `srrl-${name}-`));
  const count = values.count === undefined ? test.count : Number(values.count);
  console.log(`\n${name}: ${test.promise(count)}`);
  const began = performance.now();
  try {
    const rows = await test.run({ count, folder: place });
    console.table(rows);
    console.log(`${name}: kept, after ${((performance.now() - began) / 60_000).toFixed(1)} minutes`);
  } catch (error) {
    console.log(`${name}: BROKEN. ${error.stack}`);
    process.exitCode = 1;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
