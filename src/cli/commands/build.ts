import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../native.js';
import { z } from '../../options.js';
import { defineCommand } from '../command.js';

export const buildCommand = defineCommand({
  name: 'build',
  summary: 'compile the native addon, if none is prebuilt for this platform; needs a C++20 compiler and CMake',
  options: z.strictObject({
    force: z.boolean().default(false).describe('compile again even if nothing changed'),
  }),
  examples: ['srrl build', 'LIBTORCH=/opt/libtorch srrl build'],
  async run({ force }) {
    const script = join(packageRoot, 'scripts', 'build-native.mjs');
    const { status } = spawnSync(process.execPath, [script, ...(force ? ['--force'] : [])], { stdio: 'inherit' });
    // The script has already printed the error.
    process.exitCode = status ?? 1;
  },
});
