#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  console.error('srrl is not built. Run `npm run setup` in the package folder.');
  process.exitCode = 1;
}
