import { ChildProcess } from 'node:child_process';
import { mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

// vitest kills a process that takes longer than half a second to end. The search for leaks takes longer.
const kill = ChildProcess.prototype.kill;
ChildProcess.prototype.kill = function (signal) {
  return signal === 'SIGKILL' ? true : kill.call(this, signal);
};

/** Tests in processes with a sanitizer, for scripts/test-asan.mjs: only what loads the addon has the library in front. */
export default mergeConfig(config, {
  test: {
    exclude: [
      // They start programs that do not run with a sanitizer in front: Chromium, and the compiler of CUDA.
      ...['test/report/pages.test.ts', 'test/examples/examples.test.ts', 'test/kernels/compile.test.ts'],
      // It needs several addons, but SRRL_PREBUILD names one.
      'test/package/copies.test.ts',
    ],
    env: { LD_PRELOAD: process.env.SRRL_SANITIZER },
    // With this option, vitest ends a process by process.exit(), where sanitizers report and coverage is written.
    execArgv: ['--diagnostic-dir=.'],
    maxWorkers: Number(process.env.SRRL_SANITIZED_WORKERS ?? 1),
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 120_000,
  },
});
