import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  ConfigError,
  DataError,
  DisposedError,
  FileError,
  type ImageClassifier,
  Loader,
  loadClassifier,
  loadStudent,
  models,
  openDataset,
  saveStudent,
} from '../../src/index.js';
import { imagesAt } from '../../src/predict/files.js';
import torch from '../../src/torch.js';
import { node, packageRoot } from '../helpers/cli.js';
import { classNames, makePhotos, trained } from './photos.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-classifier-'));
const [photos, run] = [join(folder, 'photos'), join(folder, 'run')];
const files = ['red/0.jpg', 'green/1.png', 'blue/2.jpg'].map((name) => join(photos, 'val', name));
const [one] = files as [string];
let classify: ImageClassifier;

beforeAll(async () => {
  await makePhotos(photos);
  await trained({ data: `folder:${photos}?size=32`, out: run });
  classify = await loadClassifier(run, { topK: 2 });
});
afterAll(async () => {
  await classify.close();
  rmSync(folder, { recursive: true });
});

describe('loadClassifier', () => {
  it('returns what the network says of the images that a loader makes', async () => {
    const data = await openDataset(`folder:${photos}?size=32`);
    const { student } = loadStudent(run);
    student.to({ memoryFormat: 'channelsLast' });
    const loader = new Loader(data, 'test', { batchSize: 18 });
    loader.begin(0);
    await loader.ready(0);
    const expected = torch.noGrad(() => student.forward(loader.batch(0).images).softmax(1)).tolist() as number[][];
    loader.dispose();
    const all = classNames.flatMap((name) =>
      [0, 1, 2, 3, 4, 5].map((i) => join(photos, 'val', name, `${i}.${i % 2 === 0 ? 'jpg' : 'png'}`)),
    );
    const whole = await loadClassifier(run, { topK: 9, batchSize: 7 });
    expect(whole.classes).toEqual(classNames);
    for (const [i, found] of (await whole(all)).entries()) {
      expect(found).toHaveLength(3);
      for (const { index, label, probability } of found) {
        expect(label).toBe(classNames[index]);
        expect(probability).toBeCloseTo(expected[i]?.[index] as number, 5);
      }
      expect(found.map(({ probability }) => probability)).toEqual(
        found.map(({ probability }) => probability).sort((a, b) => b - a),
      );
    }
    await whole.close();
  });

  it('takes paths, bytes and pixels, and leaves the bytes to their owner', async () => {
    const bytes = readFileSync(files[1] as string);
    const before = Buffer.from(bytes);
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    const raw = { data, width: info.width, height: info.height, channels: 3 as const };
    const arrayBuffer = Uint8Array.from(bytes).buffer;
    const answers = await classify([files[1] as string, bytes, arrayBuffer, raw]);
    expect(answers[0]).toHaveLength(2);
    for (const answer of answers) expect(answer[0]?.index).toBe(answers[0]?.[0]?.index);
    expect(bytes).toEqual(before);
    expect(arrayBuffer.byteLength).toBe(bytes.length);
    expect(await classify([])).toEqual([]);
  });

  it('answers many at once, each its own', async () => {
    const alone = await Promise.all(files.map((file) => classify(file)));
    const many = await Promise.all(Array.from({ length: 60 }, (_, i) => classify(files[i % 3] as string)));
    for (const [i, [best]] of many.entries()) {
      expect(best?.label).toBe(alone[i % 3]?.[0]?.label);
      expect(best?.probability).toBeCloseTo(alone[i % 3]?.[0]?.probability as number, 5);
    }
  });

  it('rejects with errors that name the image', async () => {
    await expect(classify('nowhere.jpg')).rejects.toThrow(DataError);
    await expect(classify(Buffer.from('x'), { name: 'upload.png' })).rejects.toThrow(/upload\.png cannot be decoded/);
    await expect(classify(readFileSync(one).subarray(0, 200))).rejects.toThrow(DataError);
    for (const odd of [5, null, { data: new Uint8Array(3), width: 2, height: 1, channels: 3 }] as never[])
      await expect(classify(odd)).rejects.toThrow(ArgumentError);
    await expect(classify(one, { nam: 1 } as never)).rejects.toThrow(/Did you mean name\?/);
    expect(await classify(one)).toHaveLength(2);
  });

  it('refuses options that it does not know, and what is not a student', async () => {
    await expect(loadClassifier(run, { topk: 1 } as never)).rejects.toThrow(/Did you mean topK\?/);
    await expect(loadClassifier(run, { topK: 0 })).rejects.toThrow(ConfigError);
    await expect(loadClassifier(join(folder, 'none'))).rejects.toThrow(FileError);
    await expect(loadClassifier(photos)).rejects.toThrow(/not a run folder with a student/);
    await expect(loadClassifier(one)).rejects.toThrow(/not a student that can predict/);
    await expect(loadClassifier('assets/shapes-teacher.pt')).rejects.toThrow(/without extra\/srrl\.json/);
    expect(() => imagesAt(['-', '-'])).toThrow(/name it only once/);
    await expect(loadClassifier(run, { device: 'cuda:77' })).rejects.toThrow(ConfigError);
  });

  it('answers what was asked for before it was closed, and nothing after', async () => {
    const closing = await loadClassifier(run);
    const asked = files.map((file) => closing(file));
    await closing.close();
    await closing.close();
    expect((await Promise.all(asked)).map((answer) => answer.length)).toEqual([3, 3, 3]);
    await expect(closing(one)).rejects.toThrow(DisposedError);
    let used: ImageClassifier | undefined;
    {
      await using scoped = await loadClassifier(run);
      used = scoped;
    }
    await expect(used(one)).rejects.toThrow(DisposedError);
  });

  it('does not keep a process alive, nor a loop waiting', async () => {
    const program = join(folder, 'program.mjs');
    const entry = join(packageRoot, 'dist/index.js');
    const text = `const { loadClassifier } = await import(${JSON.stringify(entry)});
const classify = await loadClassifier(${JSON.stringify(run)});
console.log((await classify(${JSON.stringify(one)})).length);`;
    writeFileSync(program, text);
    expect(node(program, [])).toMatchObject({ status: 0, stdout: '3\n', stderr: '' });
    let [turns, waiting] = [0, true];
    const turn = () => void (++turns && waiting && setImmediate(turn));
    turn();
    await classify(Array.from({ length: 30 }, () => one));
    waiting = false;
    expect(turns).toBeGreaterThan(30);
  });

  it('takes color for gray and gray for color', async () => {
    const gray = await sharp(one).grayscale().png().toBuffer();
    const saved = (channels: 1 | 3) => {
      torch.manualSeed(channels);
      const file = join(folder, `${channels}.safetensors`);
      const [mean, std] = [new Array<number>(channels).fill(0.5), new Array<number>(channels).fill(0.25)];
      const preprocessing = { resize: [28, 28], crop: [28, 28], mean, std } as const;
      const card = { model: 'resnet8', numClasses: 4, inChannels: channels, data: 'none' };
      const student = models.create('resnet8', { numClasses: 4, inChannels: channels });
      saveStudent(file, student, { ...card, preprocessing, classes: ['a', 'b', 'c', 'd'] });
      return file;
    };
    for (const channels of [1, 3] as const) {
      await using small = await loadClassifier(saved(channels));
      expect(await small([one, gray])).toEqual([expect.any(Array), expect.any(Array)]);
      expect(await small(gray)).toHaveLength(4);
    }
    const four = join(folder, 'four.safetensors');
    saveStudent(four, models.create('resnet8', { numClasses: 4, inChannels: 4 }), {
      ...{ model: 'resnet8', numClasses: 4, inChannels: 4, data: 'none' },
    });
    await expect(loadClassifier(four)).rejects.toThrow(/images of 4 channels/);
  });
});
