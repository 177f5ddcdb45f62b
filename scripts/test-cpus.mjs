// Runs the numeric tests as on each CPU that this machine can imitate, with 1 and 2 threads, and prints a table
// (CONTRIBUTING.md). npm run test:cpus [-- test files or folders]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = [
  'tensor',
  'nn',
  'optim',
  'models',
  'distill',
  'conformance',
  'data',
  'analysis',
  'files',
  'train',
  'fixtures',
];
const chosen = process.argv.slice(2);
const tests = chosen.length > 0 ? chosen : folders.map((folder) => `test/${folder}`);

/** Which wide vectors the CPU has; elsewhere than on Linux only what any CPU can do is imitated. */
function widths() {
  let flags = [];
  try {
    flags = (readFileSync('/proc/cpuinfo', 'utf8').match(/^flags\s*:(.*)$/m)?.[1] ?? '').split(' ');
  } catch {}
  return { avx2: flags.includes('avx2'), avx512: flags.includes('avx512f') && flags.includes('avx512vl') };
}

/** Each variable for itself, and all of them narrow at once. */
function settings() {
  const { avx2, avx512 } = widths();
  const of = (name, ...values) => values.filter(Boolean).map((value) => ({ [name]: value }));
  return [
    {},
    ...of('ATEN_CPU_CAPABILITY', 'default', avx2 && 'avx2', avx512 && 'avx512'),
    ...of('ONEDNN_MAX_CPU_ISA', 'SSE41', avx2 && 'AVX2', avx512 && 'AVX512_CORE'),
    ...of('SRRL_VECTOR_WIDTH', '0', avx2 && '8', avx512 && '16'),
    { ATEN_CPU_CAPABILITY: 'default', ONEDNN_MAX_CPU_ISA: 'SSE41', SRRL_VECTOR_WIDTH: '0' },
  ];
}

const folder = mkdtempSync(join(tmpdir(), 'srrl-cpus-'));
function run(setting, threads) {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stderr } = spawnSync(
    process.execPath,
    [vitest, 'run', ...tests, '--reporter=json', `--outputFile=${report}`],
    {
      cwd: root,
      env: { ...process.env, ...setting, SRRL_TEST_THREADS: String(threads) },
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  );
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    throw new Error(`vitest wrote no report:\n${stderr.slice(-2000)}`);
  }
}

/** A file that did not load has no tests that failed, and counts as one. */
const failuresIn = ({ testResults }) =>
  testResults.flatMap(({ name, status, assertionResults }) => {
    const failed = assertionResults.filter((one) => one.status === 'failed').map((one) => one.fullName);
    if (failed.length === 0 && status === 'failed') failed.push('(the file did not load)');
    return failed.map((title) => `${relative(root, name)}: ${title}`);
  });

console.log(`${cpus()[0]?.model ?? 'unknown CPU'}; ${tests.join(' ')}\n`);
console.log('| setting | threads | passed | failed | seconds |');
console.log('| --- | --- | --- | --- | --- |');
const failures = new Map();
try {
  for (const setting of settings()) {
    const name =
      Object.entries(setting)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ') || 'as it is';
    for (const threads of [1, 2]) {
      const begun = Date.now();
      const report = run(setting, threads);
      const failed = failuresIn(report);
      for (const one of failed) failures.set(one, [...(failures.get(one) ?? []), `${name}, ${threads}`]);
      const seconds = Math.round((Date.now() - begun) / 1000);
      console.log(`| ${name} | ${threads} | ${report.numPassedTests} | ${failed.length} | ${seconds} |`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
for (const [test, where] of failures) console.log(`\nfailed: ${test}\n  with ${where.join('; ')}`);
process.exitCode = failures.size > 0 ? 1 : 0;
