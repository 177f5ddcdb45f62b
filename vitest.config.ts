import { defineConfig } from 'vitest/config';

/** Tests of whole runs and large networks: with them, `npm test` would take longer than ten minutes on 2 cores. */
export const slow = [
  'test/faults/**/*.test.ts',
  'test/cli/{config-round-trip,hostile,sweep}.test.ts',
  'test/bench/{device,harness}.test.ts',
  'test/data/remote/run.test.ts',
  'test/distributed/{evaluation,mismatch,on-device,resume,run,teacher-cache}.test.ts',
  'test/docs/guides.test.ts',
  'test/models/originals.test.ts',
  'test/train/{company,deterministic,whole-step-uploads}.test.ts',
];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/cuda/**', 'test/long/**', ...slow],
    // Each test file is a process of its own: libtorch's threads and default generator are the process's.
    pool: 'forks',
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    // Two processes with two threads each would wait for each other on two cores. scripts/test-cpus.mjs sets other
    // numbers. npm's variable is unset, so that commands in messages are the same however the tests were started.
    env: { OMP_NUM_THREADS: process.env.SRRL_TEST_THREADS ?? '1', npm_lifecycle_event: '' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // npm run test:coverage; what runs in processes of its own, such as the commands, is not counted.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.generated.ts'],
      reporter: ['text-summary', 'json-summary', 'html'],
    },
  },
});
