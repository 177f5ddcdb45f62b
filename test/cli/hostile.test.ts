/** Files from strangers, seen through the commands. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors, saveSafetensors } from '../../src/torch.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-hostile-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = 'assets/shapes-teacher.pt';
const run = join(folder, 'run');

beforeAll(() => {
  const args = ['--data', 'shapes:60?test=24', '--student', 'resnet8', '--epochs', '1', '--batch-size', '12'];
  const { status, stderr } = srrl(['train', ...args, '--out', run]);
  expect([status, stderr.includes('Error')]).toEqual([0, false]);
}, 60_000);

function flipped(from: string, to: string, at: number): string {
  const bytes = readFileSync(from);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] as number) ^ 1;
  writeFileSync(to, bytes);
  return to;
}

/** Whether text could steer a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('srrl verify', () => {
  it('finds a run intact, and names what is damaged in it', () => {
    const intact = JSON.parse(srrl(['verify', run, '--json']).stdout) as { kind: string; state: string }[];
    expect(intact.map(({ kind, state }) => [kind, state])).toEqual([
      ['checkpoint', 'intact'],
      ['student', 'intact'],
    ]);
    const copy = flipped(join(run, 'student.safetensors'), join(folder, 'student.safetensors'), -77);
    const { status, stdout, stderr } = srrl(['verify', run, copy]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/student\.safetensors +│ student +│ damaged/);
    expect(stderr).toMatch(/^srrl: Damaged files: 1 of 3\./);
  });

  it('compares packed data sets, their pixels as well as their labels', () => {
    const file = join(folder, 'data.pack');
    expect(srrl(['pack', 'shapes:24?test=24', '--out', file]).status).toBe(0);
    expect(srrl(['verify', file]).stdout).toMatch(/packed data set +│ intact/);
    const pixels = srrl(['verify', flipped(file, join(folder, 'pixels.pack'), 1000)]);
    expect([pixels.status, /its pixels are not those/.test(pixels.stdout)]).toEqual([1, true]);
    const bytes = readFileSync(file);
    const label = bytes.indexOf('"labels":[') + '"labels":['.length;
    bytes[label] = bytes[label] === 0x31 ? 0x32 : 0x31;
    writeFileSync(join(folder, 'labels.pack'), bytes);
    const labels = srrl(['verify', join(folder, 'labels.pack')]);
    expect([labels.status, /its header is damaged/.test(labels.stdout)]).toEqual([1, true]);
    const used = srrl(['eval', run, '--data', `packed:${join(folder, 'labels.pack')}`]);
    expect(used.stderr).toMatch(/its header is damaged/);
  });

  it('says where there is no checksum', () => {
    const file = join(folder, 'text.npy');
    writeFileSync(
      file,
      Buffer.from("\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }\n", 'latin1'),
    );
    expect(srrl(['verify', file]).stdout).toMatch(/NumPy +│ unchecked/);
    expect(srrl(['verify', `${folder}/nowhere`]).stderr).toMatch(/does not exist/);
  });
});

describe('a damaged TorchScript file', () => {
  it('is refused before libtorch reads it, wherever a bit of its content flips', () => {
    const file = flipped(teacher, join(folder, 'flipped.pt'), 5000);
    for (const args of [
      ['inspect', file],
      ['inspect', file, '--isolated'],
    ]) {
      const { status, signal, stderr } = srrl(args);
      expect([status, signal]).toEqual([1, null]);
      expect(stderr).toMatch(/is damaged: the CRC-32 of '.*' in it differs/);
    }
  });

  it('can be inspected in a process of its own, with the same result', () => {
    const own = JSON.parse(srrl(['inspect', teacher, '--isolated', '--json']).stdout);
    expect(own).toEqual(JSON.parse(srrl(['inspect', teacher, '--json']).stdout));
    expect(own.classifier.numClasses).toBe(12);
  });
});

describe('a hostile configuration', () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [i, name] of [...'bcdefghi'].entries()) {
    const before = String.fromCharCode(97 + i);
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join()}]`);
  }
  it.each([
    ['aliases that unfold to gigabytes', bomb.join('\n')],
    ['an alias within what it stands for', 'a: &a\n  b: *a\n'],
    ['ten thousand levels', `a: ${'['.repeat(10_000)}${']'.repeat(10_000)}`],
  ])('%s: one line, no stack trace', (_name, text) => {
    const path = join(folder, 'hostile-run');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'config.yaml'), text);
    for (const args of [
      ['report', path],
      ['distill', '--config', join(path, 'config.yaml')],
      ['compare', path],
    ]) {
      const { status, stderr } = srrl(args);
      expect(status).toBeGreaterThan(0);
      expect(stderr).toMatch(/^srrl: .*config\.yaml/);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });
});

describe('control characters in names', () => {
  it('of a student are escaped wherever they are shown', () => {
    const file = join(folder, 'names.safetensors');
    const { tensors, metadata } = loadSafetensors(join(run, 'student.safetensors'));
    const card = JSON.parse(metadata.srrl as string);
    const hostile = '\u001b]0;owned\u0007\u009b2J\u202Ereversed\r\nfake line';
    saveSafetensors(file, tensors, {
      ...metadata,
      srrl: JSON.stringify({ ...card, data: hostile, command: hostile, model: hostile }),
    });
    for (const args of [
      ['inspect', file],
      ['inspect', file, '--json'],
      ['eval', file, '--data', 'shapes:24?test=24'],
      ['predict', file, 'nowhere.jpg'],
    ]) {
      const { stdout, stderr } = srrl(args);
      expect(`${stdout}${stderr}`).not.toMatch(steering);
    }
    const { stdout } = srrl(['inspect', file]);
    expect(stdout).toContain('\\u001b]0;owned\\u0007\\u009b2J\\u202ereversed\\u000d\\u000afake line');
    expect(JSON.parse(srrl(['inspect', file, '--json']).stdout).data).toBe(hostile);
  });

  it('of files and tensors are escaped in messages', () => {
    const name = join(folder, 'a\u001b[31mred.safetensors');
    copyFileSync(join(run, 'student.safetensors'), name);
    writeFileSync(name, readFileSync(name).subarray(0, -10));
    for (const args of [
      ['inspect', name],
      ['verify', name],
      ['distill', '--data', `folder:${name}`, '--teacher', name],
      [`\u001b[2J`],
    ]) {
      const { stdout, stderr } = srrl(args);
      expect(`${stdout}${stderr}`).not.toMatch(steering);
      expect(`${stdout}${stderr}`).toContain('\\u001b[');
    }
  });
});

describe('--out below a file', () => {
  it.each([
    [['distill', '--data', 'shapes', '--teacher', teacher]],
    [['distill', '--data', 'shapes', '--teacher', teacher, '--dry-run']],
    [['train', '--data', 'shapes', '--seeds', '2']],
    [['pack', 'shapes']],
    [['analyze', run]],
    [['report', run]],
  ])('srrl %j is refused at once', (args) => {
    const file = join(folder, 'plain');
    writeFileSync(file, '');
    const { status, stderr } = srrl([...args, '--out', join(file, 'below', 'deep')]);
    expect(stderr).toMatch(/^srrl: Nothing can be written to --out .*plain is a file, not a folder/);
    expect(status).toBe(2);
  });
});
