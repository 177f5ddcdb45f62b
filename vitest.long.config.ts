import { defineConfig, mergeConfig } from 'vitest/config';
import config, { slow } from './vitest.config.js';

/** Tests that take minutes and gigabytes: `npm run test:long`. */
const long = mergeConfig(config, defineConfig({ test: { testTimeout: 600_000, maxWorkers: 1 } }));
export default { ...long, test: { ...long.test, include: ['test/long/**/*.test.ts', ...slow], exclude: [] } };
