// Tests with the addon built under AddressSanitizer (with LeakSanitizer) and UndefinedBehaviorSanitizer.
//   npm run test:asan                          test/tensor, test/native and the call fuzzer
//   npm run test:asan -- test/tensor/async.test.ts
// libtorch and Node.js are not instrumented: of them, only what passes malloc and memcpy is seen. A report counts where
// our code is in it; the others are suppressed below, each with its reason. Exits with 1 where one counts.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Reports without a frame of ours near their top. */
const suppressions = [
  {
    reason: 'V8 and Node.js keep what they have allocated until the process ends, and only their heap points to it',
    fits: (report) => /detected memory leaks|(Direct|Indirect) leak/.test(report),
  },
  {
    reason: "undefined behavior inside of libtorch's headers, as signed overflow in hashes",
    fits: (report) => /libtorch\/\S+: runtime error/.test(report),
  },
];

/** How deep our own code may lie in the stack of a leak: below are Node.js and V8, which are in every stack. */
const nearTop = 6;

function run(command, args, env = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status;
}

if (run(process.execPath, ['scripts/build-native.mjs', '--sanitize', 'address,undefined']) !== 0) process.exit(1);
const library = spawnSync(process.env.CXX ?? 'c++', ['-print-file-name=libasan.so'], {
  encoding: 'utf8',
}).stdout.trim();
const folder = mkdtempSync(join(tmpdir(), 'srrl-asan-'));
const options = `log_path=${join(folder, 'report')}`;
const env = {
  LD_PRELOAD: library,
  SRRL_PREBUILD: join(root, 'build-sanitized'),
  // libtorch frees with another operator than it allocates with, across its libraries, and defines symbols twice.
  ASAN_OPTIONS: `${options}:detect_leaks=1:alloc_dealloc_mismatch=0:detect_odr_violation=0:exitcode=0`,
  UBSAN_OPTIONS: `${options}:print_stacktrace=1`,
};

const given = process.argv.slice(2);
const tests = given.length > 0 ? given : ['test/tensor', 'test/native'];
let failed =
  run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--testTimeout', '300000', ...tests], env) !== 0;
if (given.length === 0) failed = run(process.execPath, ['scripts/fuzz.mjs', '--cases', '3000'], env) !== 0 || failed;

/** The reports of all processes, one error or leak each. */
function reports() {
  const files = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  return files.flatMap((text) => text.split(/\n(?=(?:Direct|Indirect) leak|==\d+==ERROR|\S+: runtime error)/));
}

/** Whether code of native/ is among the innermost frames, or where undefined behavior happened. */
function isOurs(report) {
  if (/^native\/\S+: runtime error/m.test(report)) return true;
  const frames = [...report.matchAll(/^\s+#\d+ .*$/gm)].slice(0, nearTop).map(([frame]) => frame);
  const leak = /leak of/.test(report);
  return (
    frames.some((frame) => /\snative\/\S+:\d+|srrl-torch-\S+\.so/.test(frame)) ||
    (!leak && /ERROR: AddressSanitizer/.test(report))
  );
}

const ours = new Map();
const others = new Map();
for (const report of reports()) {
  if (!/runtime error|ERROR: AddressSanitizer|leak of/.test(report)) continue;
  const text = report.replace(/==\d+==|0x[0-9a-f]+/g, '');
  if (isOurs(report)) ours.set(text.split('\n').slice(0, 4).join('\n'), report);
  else {
    const reason = suppressions.find(({ fits }) => fits(report))?.reason ?? 'unknown';
    others.set(reason, (others.get(reason) ?? 0) + 1);
    if (reason === 'unknown') ours.set(text, report);
  }
}
for (const report of ours.values()) console.log(`${report.split('\n').slice(0, 25).join('\n')}\n`);
for (const [reason, count] of others) console.log(`${count} reports suppressed: ${reason}`);
console.log(`${ours.size} findings in native/`);
rmSync(folder, { recursive: true });
if (failed || ours.size > 0) process.exitCode = 1;
