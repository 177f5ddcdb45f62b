// Calls the package with whatever can be wrong, in child processes, and reports crashes, hangs, untyped errors and too
// much memory, each with the command that repeats it.
//   npm run fuzz -- --minutes 10              all targets for ten minutes; exits with 1 where something was found
//   npm run fuzz -- --target operators --cases 5000 --seed 7
//   npm run fuzz -- --target operators --seed 7 --case 4711     one case, with every call that it makes
// A target is a file in scripts/fuzz/targets/; see scripts/fuzz/target.d.ts. Needs dist/ and the addon.
import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { runTarget } from './fuzz/driver.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    cases: { type: 'string' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    case: { type: 'string' },
  },
});

const known = readdirSync(new URL('fuzz/targets/', import.meta.url)).map((file) => file.replace(/\.mjs$/, ''));
const chosen = values.target ?? known;
const number = (name) => {
  const value = values[name] === undefined ? undefined : Number(values[name]);
  if (value !== undefined && !(value >= 0)) fail(`--${name} must be a number, not ${values[name]}.`);
  return value;
};

function fail(message) {
  console.error(message);
  process.exit(2);
}

for (const name of chosen) {
  if (!known.includes(name)) fail(`There is no target ${name}; there are ${known.join(', ')}.`);
}

const seed = number('seed');
const single = number('case');
const minutes = number('minutes') ?? (values.cases === undefined ? 1 : Number.POSITIVE_INFINITY);
const rows = [];
for (const name of chosen) {
  const result = await runTarget({
    name,
    seed,
    first: single ?? 0,
    cases: single === undefined ? (number('cases') ?? Number.POSITIVE_INFINITY) : 1,
    milliseconds: (minutes * 60_000) / chosen.length,
    verbose: single !== undefined,
    report({ kind, number, message, file }) {
      const again = file ? `node scripts/fuzz/read-file.mjs ${relative('', file)}` : '';
      console.log(
        `${kind} in ${name}: ${message}\n  repeat with: ${again || `npm run fuzz -- --target ${name} --seed ${seed} --case ${number}`}`,
      );
    },
  });
  rows.push({ target: name, ...result });
}
console.table(rows);
if (rows.some(({ crashes, hangs, errors }) => crashes + hangs + errors > 0)) process.exitCode = 1;
