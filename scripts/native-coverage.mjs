// The lines and functions of native/ that the last `npm run test:asan` reached.
//   node scripts/native-coverage.mjs                prints a line a file, and every function that was not reached
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = join(root, 'build-sanitized', 'build');

/** What gcov counted in our own files of one object. */
function countsOf(file) {
  const { stdout } = spawnSync('gcov', ['--json-format', '--stdout', '--demangled-names', file], {
    cwd: build,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const { files } = JSON.parse(stdout.split('\n')[0] || '{"files":[]}');
  // Paths begin at the repository: see -ffile-prefix-map in CMakeLists.txt.
  return files.filter((one) => one.file.startsWith('native/'));
}

/** Files by their path, each with counts by line, and functions with their counts by their first line. */
export function nativeCoverage() {
  const counted = readdirSync(build, { recursive: true }).filter((file) => file.endsWith('.gcda'));
  const all = new Map();
  for (const { file, lines, functions } of counted.flatMap(countsOf)) {
    if (!all.has(file)) all.set(file, { lines: new Map(), functions: new Map() });
    const known = all.get(file);
    for (const { line_number, count } of lines) {
      known.lines.set(line_number, Math.max(known.lines.get(line_number) ?? 0, count));
    }
    // A template is a function for each of its types, which begin at one line.
    for (const { start_line, demangled_name, execution_count } of functions) {
      const name = demangled_name
        .replace('(anonymous namespace)::', '')
        .replace(/[(<].*/s, '')
        .split(/::| /)
        .at(-1);
      const count = Math.max(known.functions.get(start_line)?.count ?? 0, execution_count);
      known.functions.set(start_line, { name, count });
    }
  }
  return new Map([...all].sort(([a], [b]) => a.localeCompare(b)));
}

export function printNativeCoverage() {
  const total = { lines: 0, reached: 0, functions: 0, called: 0 };
  const rows = [];
  const missing = [];
  for (const [file, { lines, functions }] of nativeCoverage()) {
    const reached = [...lines.values()].filter((count) => count > 0).length;
    const called = [...functions.values()].filter(({ count }) => count > 0).length;
    rows.push({ file, lines: lines.size, 'reached %': Math.round((1000 * reached) / lines.size) / 10 });
    for (const [line, { name, count }] of functions) if (count === 0) missing.push(`${file}:${line} ${name}`);
    total.lines += lines.size;
    total.reached += reached;
    total.functions += functions.size;
    total.called += called;
  }
  console.table(rows);
  console.log(missing.join('\n'));
  const share = (part, whole) => `${part} of ${whole} (${Math.round((1000 * part) / whole) / 10} %)`;
  console.log(`lines: ${share(total.reached, total.lines)}, functions: ${share(total.called, total.functions)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printNativeCoverage();
