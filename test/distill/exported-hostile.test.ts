import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Input } from '../../src/files/input.js';
import { ZipReader } from '../../src/files/zip-reader.js';
import { ZipWriter } from '../../src/files/zip-writer.js';
import { Teacher } from '../../src/index.js';
import { fixturePath } from '../helpers/inputs.js';

