// Coverage-guided fuzzing of what native code does with bytes and numbers from outside, by libFuzzer, under
// AddressSanitizer and UBSan.
//   npm run fuzz:native -- --minutes 1                one minute, divided among all targets; exits with 1 where one fails
//   npm run fuzz:native -- --minutes 2 --target jpeg  one target
//   build-fuzz/views build-fuzz/views-crash-1234      repeats a finding
// A target is a file in scripts/fuzz/native/ that names its sources and libraries, and has seeds in seeds.mjs there.
// Needs clang with libFuzzer (Debian: apt-get install clang-19 libclang-rt-19-dev llvm-19), dist/ and libtorch.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeds } from './fuzz/native/seeds.mjs';
import { compile, fail, linkToTorch, root, run, turboJpeg } from './native-sources.mjs';

const folder = join(root, 'scripts', 'fuzz', 'native');
const out = join(root, 'build-fuzz');
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, target: { type: 'string', multiple: true } },
});

const known = readdirSync(folder).flatMap((file) => file.match(/^(.+)\.cc$/)?.[1] ?? []);
const chosen = values.target ?? known;
for (const name of chosen) {
  if (!known.includes(name)) fail(`There is no target ${name}; there are ${known.join(', ')}.`);
}
const seconds = Math.floor((Number(values.minutes) * 60) / chosen.length);
if (!(seconds >= 1)) fail(`--minutes must be a number that leaves each of ${chosen.length} targets a second.`);

const answers = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
const versions = ['', '-21', '-20', '-19', '-18', '-17', '-16', '-15', '-14'];
const suffix = versions.find((version) => answers(`clang++${version}`));
if (suffix === undefined) {
  fail('clang is missing. Install it (Debian: apt-get install clang-19 libclang-rt-19-dev llvm-19).');
}
const instrumented = [
  ...['-fsanitize=fuzzer,address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=undefined'],
  ...['-fprofile-instr-generate', '-fcoverage-mapping', '-Wno-unused-function', '-I', folder],
];

/** Builds a target where something is newer than it. */
async function build(name) {
  const file = `scripts/fuzz/native/${name}.cc`;
  const text = readFileSync(join(root, file), 'utf8');
  /** The rest of a comment line of the target that begins so. */
  const listed = (what) => text.match(new RegExp(`^// ${what}: (.*)$`, 'm'))?.[1]?.split(' ') ?? [];
  const sources = [file, ...listed('Sources')];
  const included = [...text.matchAll(/^#include "(.*)"$/gm)].map(([, header]) => join('native', header));
  const own = ['scripts/fuzz/native/input.h', ...included].filter((path) => existsSync(join(root, path)));
  const changed = Math.max(...[...sources, ...own].map((path) => statSync(join(root, path)).mtimeMs));
  const binary = join(out, name);
  if (existsSync(binary) && statSync(binary).mtimeMs > changed) return binary;
  console.log(`building ${name}`);
  const compiler = `clang++${suffix}`;
  const objects = [];
  for (const source of sources) {
    objects.push(join(out, `${name}-${source.replaceAll('/', '-')}.o`));
    await compile(compiler, source, objects.at(-1), instrumented);
  }
  const libraries = listed('Libraries').includes('torch') ? linkToTorch : [];
  await run(compiler, [...instrumented, ...objects, ...libraries, '-o', binary]);
  for (const object of objects) rmSync(object);
  return binary;
}

/** The share of the lines of native/ in this target that were reached, in percent. */
function coverage(name, binary) {
  const profile = join(out, `${name}.profdata`);
  rmSync(profile, { force: true });
  spawnSync(`llvm-profdata${suffix}`, ['merge', '-sparse', `${profile}.raw`, '-o', profile]);
  // A run that fails leaves no profile, and llvm may not be installed.
  if (!existsSync(profile)) return Number.NaN;
  const report = spawnSync(
    `llvm-cov${suffix}`,
    ['export', '-summary-only', binary, `-instr-profile=${profile}`, '-ignore-filename-regex=scripts/fuzz|include'],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  const { files } = JSON.parse(report.stdout).data[0];
  const sum = (key) => files.reduce((total, { summary }) => total + summary.lines[key], 0);
  return Math.round((1000 * sum('covered')) / sum('count')) / 10;
}

async function fuzz(name) {
  const binary = await build(name);
  const corpus = join(out, 'corpus', name);
  mkdirSync(corpus, { recursive: true });
  [...seeds[name]()].forEach((seed, i) => void writeFileSync(join(corpus, `seed-${i}`), seed));
  const limits = [`-max_total_time=${seconds}`, '-max_len=8192', '-rss_limit_mb=4096', '-timeout=20'];
  const reports = ['-print_final_stats=1', `-artifact_prefix=${join(out, name)}-`];
  const { status, stderr } = spawnSync(binary, [...limits, ...reports, corpus], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: {
      ...process.env,
      OMP_NUM_THREADS: '1',
      SRRL_TURBOJPEG: turboJpeg(),
      LLVM_PROFILE_FILE: join(out, `${name}.profdata.raw`),
      // An allocation that is refused becomes an error, as without sanitizers.
      ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1:detect_odr_violation=0:alloc_dealloc_mismatch=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  });
  if (status !== 0) {
    const lines = stderr.split('\n');
    const first = lines.findIndex((line) => /ERROR|runtime error|does not hold/.test(line));
    console.log(lines.slice(Math.max(0, first)).slice(0, 40).join('\n'));
  }
  const stat = (key) => Number(stderr.match(new RegExp(`stat::${key}:\\s+(\\d+)`))?.[1] ?? 0);
  return {
    target: name,
    executions: stat('number_of_executed_units'),
    bytes: stat('bytes_given'),
    edges: Number(stderr.match(/cov: (\d+)(?![\s\S]*cov: )/)?.[1] ?? 0),
    'lines %': coverage(name, binary),
    result: status === 0 ? 'nothing found' : 'FAILED',
  };
}

mkdirSync(out, { recursive: true });
console.log(`${seconds} s for each of ${chosen.length} targets`);
const rows = [];
for (const name of chosen) rows.push(await fuzz(name));
console.table(rows);
if (rows.some(({ result }) => result === 'FAILED')) process.exitCode = 1;
