// The import law: a room imports only from rooms above it. Exits with 1 and the offending lines where it is broken.
//   node scripts/check-imports.mjs [folder, default src]
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

// Rooms in their order; what stands in one row does not know each other. Files directly in src/ are rooms of their own.
const rows = [
  ['printable.ts', 'shell.ts', 'strict-json.ts', 'strict-yaml.ts'],
  ['errors.ts', 'suggest.ts', 'expectation.ts', 'atomic.ts', 'integer-hint.ts'],
  ['argument-kinds.ts'],
  ['call.ts', 'package-root.ts', 'zip-check.ts'],
  ['options.ts', 'native-types.ts', 'libtorch/locate.ts'],
  ['native.ts'],
  ['libtorch'],
  ['tensor'],
  ['files'],
  ['flow.ts'],
  ['nn', 'optim', 'data'],
  ['distributed'],
  ['models'],
  ['distill'],
  ['analysis'],
  ['train'],
  ['export'],
  ['report', 'predict'],
  ['index.ts', 'torch.ts', 'testing.ts'],
  ['bench'],
  ['cli'],
];
// The one door to libtorch, its search for it, and what only the terminal may know.
const forbidden = [{ room: 'report', imports: 'tensor' }];

const root = resolve(process.argv[2] ?? 'src');

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function roomOf(path) {
  const name = relative(root, path).split(sep).join('/');
  const rank = (room) => rows.findIndex((row) => row.includes(room));
  if (rank(name) >= 0) return { room: name, rank: rank(name) };
  const [folder] = name.split('/');
  return { room: folder, rank: rank(folder) };
}

const problems = [];
for (const file of files(root)) {
  const from = roomOf(file);
  if (from.rank < 0) problems.push(`${relative(root, file)} is in no room of scripts/check-imports.mjs`);
  for (const [, target] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s+'(\.[^']+)'/g)) {
    const to = roomOf(resolve(dirname(file), target.replace(/\.js$/, '.ts')));
    const sameRoom = from.room === to.room;
    const broken = !sameRoom && to.rank >= from.rank;
    const barred = forbidden.some(({ room, imports }) => from.room === room && to.room === imports);
    if (broken || barred)
      problems.push(`${relative(root, file)} (${from.room}) imports ${target} (${to.room}), which is not above it`);
  }
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
