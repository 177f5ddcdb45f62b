import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Prediction } from '../../src/index.js';
import { packageRoot, srrl } from '../helpers/cli.js';
import { classNames, makePhotos, trained } from './photos.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-predict-'));
const [photos, run] = [join(folder, 'photos'), join(folder, 'run')];
const val = join(photos, 'val');
const one = join(val, 'red', '0.jpg');

beforeAll(async () => {
  await makePhotos(photos);
  await trained({ data: `folder:${photos}?size=32`, out: run });
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  image: string;
  predictions?: Prediction[];
  error?: string;
}

const lines = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe('srrl predict', () => {
  it('reaches the accuracy that srrl eval reports', () => {
    const eventual = JSON.parse(srrl(['eval', run, '--json']).stdout) as { top1: number; count: number };
    for (const batch of ['4', '32']) {
      const { status, stdout, stderr } = srrl(['predict', run, val, '--json', '--batch-size', batch]);
      expect([status, stderr]).toEqual([0, '']);
      const found = lines(stdout);
      expect(found).toHaveLength(eventual.count);
      const right = found.filter(({ image, predictions }) => image.includes(`/${predictions?.[0]?.label}/`)).length;
      expect((100 * right) / found.length).toBe(eventual.top1);
    }
    expect(eventual.top1).toBeGreaterThan(40);
  });

  it('walks folders, in the order of names, and passes over what is not an image', () => {
    const mixed = join(folder, 'mixed');
    mkdirSync(join(mixed, 'inner'), { recursive: true });
    copyFileSync(one, join(mixed, 'inner', 'b.jpg'));
    copyFileSync(one, join(mixed, 'z.jpg'));
    writeFileSync(join(mixed, 'notes.txt'), 'x');
    writeFileSync(join(mixed, '.hidden.jpg'), 'x');
    const { status, stdout, stderr } = srrl(['predict', run, mixed, one, '--json', '--top-k', '1']);
    expect(status).toBe(0);
    expect(lines(stdout).map(({ image }) => image)).toEqual([join(mixed, 'inner/b.jpg'), join(mixed, 'z.jpg'), one]);
    expect(stderr).toMatch(/^skipped files: 1 \.txt, 1 hidden\n$|^skipped files: 1 hidden, 1 \.txt\n$/);
    const [first, ...others] = lines(stdout).map(({ predictions }) => predictions?.[0]?.index);
    expect(others).toEqual([first, first]);
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(srrl(['predict', run, empty])).toMatchObject({ status: 1, stderr: expect.stringMatching(/holds no image/) });
  });

  it('reads an image from standard input', () => {
    const args = [join(packageRoot, 'bin/srrl.js'), 'predict', run, '-', '--json'];
    const from = (input: Buffer) => spawnSync(process.execPath, args, { input, encoding: 'utf8' });
    const [piped] = lines(from(readFileSync(one)).stdout);
    const [named] = lines(srrl(['predict', run, one, '--json']).stdout);
    expect(piped).toEqual({ image: '-', predictions: named?.predictions });
    const { status, stderr } = from(Buffer.from('no image'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^standard input cannot be decoded: /);
  });

  it('tells broken images by name, and classifies the others', () => {
    const [broken, missing] = [join(folder, 'broken.jpg'), join(folder, 'missing.jpg')];
    writeFileSync(broken, readFileSync(one).subarray(0, 300));
    const { status, stdout, stderr } = srrl(['predict', run, broken, one, missing, '--json']);
    expect(status).toBe(1);
    const [first, second, third] = lines(stdout);
    expect(first?.error).toContain(`${broken} cannot be decoded: `);
    expect(second?.predictions).toHaveLength(3);
    expect(third?.error).toContain(`${missing} cannot be read: `);
    expect(stderr).toMatch(/broken\.jpg cannot be decoded[\s\S]*missing\.jpg cannot be read[\s\S]*2 of 3 images/);
  });

  it('writes a table, JSON or CSV, also to a file', () => {
    const table = srrl(['predict', run, one, '--top-k', '2']).stdout;
    expect(table).toMatch(/image.*top 1.*top 2/);
    expect(table).toMatch(/(red|green|blue) {2}\d+\.\d\d %/);
    const [file, odd] = [join(folder, 'out.csv'), join(folder, 'a "b", c.jpg')];
    copyFileSync(one, odd);
    const written = srrl(['predict', run, odd, '--top-k', '99', '--csv', '-o', file]);
    expect([written.status, written.stdout]).toEqual([0, '']);
    const [head, ...rows] = readFileSync(file, 'utf8').trim().split('\n');
    expect(head).toBe('image,rank,label,index,probability');
    const [{ predictions = [] } = {}] = lines(srrl(['predict', run, one, '--json']).stdout);
    expect(rows).toEqual(
      predictions.map(({ label, index, probability }, i) =>
        [`"${odd.replaceAll('"', '""')}"`, i + 1, label, index, probability].join(),
      ),
    );
    expect(predictions.map(({ label }) => label).sort()).toEqual(classNames);
    expect(predictions.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    expect(srrl(['predict', run, one, '--json', '--csv']).status).toBe(2);
  });
});
