import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

/** The tests of devices, on an NVIDIA GPU: `npm run test:cuda`. Where there is none, they do not run. */
const cuda = mergeConfig(
  config,
  defineConfig({
    test: {
      maxWorkers: 1,
      testTimeout: 300_000,
      // Deterministic matrix products need the workspace.
      env: { SRRL_TEST_DEVICE: 'cuda:0', CUBLAS_WORKSPACE_CONFIG: ':4096:8' },
    },
  }),
);
const include = [
  'test/cuda/**/*.test.ts',
  'test/{analysis,data,train}/device.test.ts',
  'test/train/whole-step.test.ts',
  'test/train/company.test.ts',
  'test/train/whole-step-uploads.test.ts',
  'test/tensor/{event,graph}.test.ts',
];
export default { ...cuda, test: { ...cuda.test, include, exclude: [] } };
