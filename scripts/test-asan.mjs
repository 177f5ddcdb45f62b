// Tests with the addon built under AddressSanitizer (with LeakSanitizer) and UndefinedBehaviorSanitizer.
//   npm run test:asan                          the whole suite and the call fuzzer
//   npm run test:asan -- test/tensor test/nn   some of it
// libtorch and Node.js are not instrumented: of them, only what passes malloc and memcpy is seen. A report counts where
// our code is in it; the others are suppressed below, each with its reason. Exits with 1 where one counts. How much of
// native/ was reached is told by scripts/native-coverage.mjs afterwards.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Reports without a frame of ours between the place and Node.js. */
const suppressions = [
  {
    reason: 'V8 and Node.js keep what they have allocated until the process ends, and only their heap points to it',
    fits: (report) => /leak of/.test(report),
  },
  {
    reason: "undefined behavior inside of libtorch's headers, as signed overflow in hashes",
    fits: (report) => /libtorch\/\S+: runtime error/.test(report),
  },
];

function run(command, args, env = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status;
}

if (run(process.execPath, ['scripts/build-native.mjs', '--sanitize', 'address,undefined']) !== 0) process.exit(1);
const found = spawnSync(process.env.CXX ?? 'c++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
const library = found.stdout.trim();
const folder = mkdtempSync(join(tmpdir(), 'srrl-asan-'));
const options = `log_path=${join(folder, 'report')}`;
const env = {
  SRRL_SANITIZER: library,
  SRRL_PREBUILD: join(root, 'build-sanitized'),
  // libtorch frees with another operator than it allocates with, across its libraries, and defines symbols twice. What
  // malloc refuses is NULL, as without sanitizers.
  ASAN_OPTIONS: `${options}:detect_leaks=1:alloc_dealloc_mismatch=0:detect_odr_violation=0:exitcode=0:allocator_may_return_null=1`,
  UBSAN_OPTIONS: `${options}:print_stacktrace=1`,
};

const given = process.argv.slice(2);
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.sanitized.config.ts', ...given];
let failed = run(process.execPath, vitest, env) !== 0;
if (given.length === 0) {
  failed =
    run(process.execPath, ['scripts/fuzz.mjs', '--cases', '3000'], { ...env, LD_PRELOAD: library }) !== 0 || failed;
}

/** The reports of all processes, one error or leak each. */
function reports() {
  const files = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  return files
    .flatMap((text) => text.split(/\n(?=(?:Direct|Indirect) leak|==\d+==ERROR|\S+: runtime error)/))
    .filter((report) => /runtime error|ERROR: AddressSanitizer|leak of/.test(report));
}

/** Whether code of native/ is where undefined behavior happened, or what allocated before Node.js or V8 did. */
function isOurs(report) {
  if (/^native\/\S+: runtime error/m.test(report) || /ERROR: AddressSanitizer/.test(report)) return true;
  const frames = [...report.matchAll(/^\s+#\d+ .*$/gm)].map(([frame]) => frame);
  const below = frames.findIndex((frame) => frame.includes(`(${process.execPath}+`));
  const own = frames.slice(0, below < 0 ? frames.length : below);
  return own.some((frame) => /\snative\/\S+:\d+|srrl-torch-\S+\.so|srrl\.node/.test(frame));
}

const ours = new Map();
const others = new Map();
for (const report of reports()) {
  const text = report.replace(/==\d+==|0x[0-9a-f]+/g, '');
  const reason = isOurs(report) ? undefined : suppressions.find(({ fits }) => fits(report))?.reason;
  if (reason === undefined) ours.set(text.split('\n').slice(0, 6).join('\n'), report);
  else others.set(reason, (others.get(reason) ?? 0) + 1);
}
for (const report of ours.values()) console.log(`${report.split('\n').slice(0, 25).join('\n')}\n`);
for (const [reason, count] of others) console.log(`${count} reports suppressed: ${reason}`);
console.log(`${ours.size} findings in native/`);
rmSync(folder, { recursive: true });
if (failed || ours.size > 0) process.exitCode = 1;
