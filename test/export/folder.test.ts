/** Folders for the Hugging Face hub: read back by this package, and by transformers and onnxruntime in Python. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { decodeView } from '../../src/data/decode.js';
import { normalizedImages } from '../../src/data/evaluation-view.js';
import { loadNpy, openSafetensors } from '../../src/files/index.js';
import {
  ConfigError,
  ExportError,
  exportStudent,
  loadClassifier,
  loadStudent,
  models,
  type StudentCard,
  saveStudent,
} from '../../src/index.js';
import torch, { fromArray } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-hub-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const classes = ['ant', 'bee', 'cat'];
const preprocessing = { resize: [36, 36], crop: [32, 32], mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3] } as const;

function card(top1: number): StudentCard {
  return {
    model: 'resnet8',
    numClasses: 3,
    inChannels: 3,
    data: 'folder:/home/somebody/pets',
    input: [3, 32, 32],
    classes,
    preprocessing,
    method: { name: 'srrl', options: { alpha: 1, beta: 1 } },
    teacher: { source: '/home/somebody/teacher.pt', sha256: 'ab12' },
    accuracy: { split: 'test', top1, top5: 100, count: 1000 },
    epoch: 3,
    command: 'srrl distill --out /home/somebody/runs',
  };
}

const run = (seed: number) => join(root, 'runs', `seed-${seed}`);
const hub = join(root, 'my-student');
const read = (name: string) => readFileSync(join(hub, name), 'utf8');

beforeAll(async () => {
  for (const [seed, top1] of [80, 82, 84].entries()) {
    mkdirSync(run(seed), { recursive: true });
    torch.manualSeed(seed);
    const student = models.create('resnet8', { numClasses: 3 });
    saveStudent(join(run(seed), 'student.safetensors'), student, card(top1));
    student.dispose();
  }
  await exportStudent(run(1), `${hub}/`);
});

describe('a folder for the hub', () => {
  it('holds the layout of the hub, and nothing of the machine that wrote it', () => {
    expect(readdirSync(hub).sort()).toEqual([
      'README.md',
      'config.json',
      'model.onnx',
      'model.safetensors',
      'preprocessor_config.json',
    ]);
    for (const name of readdirSync(hub)) expect(read(name)).not.toContain('/home/somebody');
    expect(readdirSync(root).sort()).toEqual(['my-student', 'runs']);
  });

  it('names architecture and classes', () => {
    expect(JSON.parse(read('config.json'))).toEqual({
      architecture: 'resnet8',
      num_classes: 3,
      num_features: 64,
      label_names: classes,
      id2label: { 0: 'ant', 1: 'bee', 2: 'cat' },
      label2id: { ant: 0, bee: 1, cat: 2 },
    });
  });

  it('has a model card with facts as YAML, and accuracy with its spread over the seeds', () => {
    const [, header = '', body = ''] = read('README.md').split(/^---$/m);
    expect(parse(header)).toEqual({
      license: 'unknown',
      library_name: 'onnxruntime',
      pipeline_tag: 'image-classification',
      tags: ['image-classification', 'srrl', 'knowledge-distillation', 'onnx'],
      metrics: ['accuracy'],
    });
    for (const heading of ['Data', 'Teacher', 'Method', 'Accuracy', 'Size and latency', 'Use', 'License'])
      expect(body).toContain(`\n## ${heading}\n`);
    expect(body).toContain('| this model | 82.00 | 100.00 |');
    // Sample standard deviation of 80, 82, 84.
    expect(body).toContain('| 3 seeds, mean ± standard deviation | 82.00 ± 2.00 | 100.00 ± 0.00 |');
    expect(body).toContain('`teacher.pt` (SHA-256 `ab12`)');
    expect(body).toMatch(/\| 1 \| \d+\.\d\d \|\n\| 32 \| \d+\.\d\d \|/);
    expect(body).toContain('Measured with onnxruntime');
  });

  it('is a student that this package loads', async () => {
    const { student, card: found } = loadStudent(hub);
    const { student: original } = loadStudent(run(1));
    const images = torch.randn([2, 3, 32, 32]);
    expect(maxDifference(student.forward(images), original.forward(images))).toBe(0);
    expect(found).toMatchObject({ classes, data: 'folder:pets', accuracy: { top1: 82 } });
    using weights = openSafetensors(join(hub, 'model.safetensors'));
    expect(weights.metadata.format).toBe('pt');
    const classify = await loadClassifier(hub, { topK: 3 });
    const data = new Uint8Array(40 * 50 * 3).fill(90);
    expect((await classify({ data, width: 50, height: 40, channels: 3 })).map(({ label }) => label).sort()).toEqual(
      classes,
    );
    await classify.close();
  });

  it('has the pretrained_cfg of timm where timm has the architecture', async () => {
    const student = models.create('resnet18', { numClasses: 3, imageSize: 32 });
    const file = join(root, 'resnet18.safetensors');
    const seen = { ...preprocessing, resize: [37, 37], crop: [32, 32] } as const;
    saveStudent(file, student, {
      ...card(90),
      model: 'resnet18',
      input: [3, 32, 32],
      preprocessing: seen,
      data: 'cifar100:x',
    });
    const timm = join(root, 'timm');
    await exportStudent(file, `${timm}/`, { images: 2 });
    const { pretrained_cfg: config } = JSON.parse(readFileSync(join(timm, 'config.json'), 'utf8'));
    expect(config).toMatchObject({ input_size: [3, 32, 32], interpolation: 'bilinear', mean: preprocessing.mean });
    expect(Math.floor(32 / config.crop_pct)).toBe(37);
    const header = parse(readFileSync(join(timm, 'README.md'), 'utf8').split(/^---$/m)[1] as string);
    expect(header).toMatchObject({ library_name: 'timm', datasets: ['cifar100'] });
    expect(header['model-index'][0].results[0].metrics[0]).toMatchObject({ type: 'accuracy', value: 0.9 });
  });
});

describe('a folder that is there', () => {
  it('is replaced where that is asked for, and only by a whole one', async () => {
    const folder = join(root, 'there');
    mkdirSync(folder);
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    await expect(exportStudent(run(0), folder)).rejects.toThrow(ConfigError);
    await expect(exportStudent(run(0), folder)).rejects.toThrow(/not empty.*--overwrite/);
    await expect(exportStudent(run(0), folder, { overwrite: true, tolerance: 1e-12 })).rejects.toThrow(ExportError);
    expect(readdirSync(folder)).toEqual(['notes.txt']);
    await exportStudent(run(0), folder, { overwrite: true });
    expect(readdirSync(folder)).toContain('model.onnx');
    expect(readdirSync(folder)).not.toContain('notes.txt');
    expect(readdirSync(root).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

const program = `
import json, pathlib, re, sys, os
import numpy as np
from PIL import Image
os.chdir(sys.argv[1])
card = pathlib.Path("README.md").read_text()
snippet = re.search(r"\`\`\`python\\n(.*?)\`\`\`", card, re.S).group(1)
exec(snippet)
from transformers import AutoImageProcessor
auto = AutoImageProcessor.from_pretrained(".")
for name in ("photo.jpg", "exact.png"):
    pixels = auto(Image.open(name), return_tensors="np")["pixel_values"]
    np.save(name + ".npy", pixels.astype(np.float32))
from huggingface_hub import ModelCard
print(json.dumps(ModelCard.load("README.md").data.to_dict()))
`;

describe.skipIf(!process.env.SRRL_PYTHON)('in Python', () => {
  it('the example of the model card runs, and images are seen as here', async () => {
    const noise = Uint8Array.from({ length: 90 * 70 * 3 }, (_, i) => ((i * 7919) % 97) + ((i / 210) % 100));
    const raw = { width: 70, height: 90, channels: 3 } as const;
    await sharp(noise, { raw }).blur(2).jpeg().toFile(join(hub, 'photo.jpg'));
    await sharp(noise, { raw }).resize(36, 36).png().toFile(join(hub, 'exact.png'));
    const outcome = spawnSync(process.env.SRRL_PYTHON as string, ['-W', 'ignore', '-c', program, hub], {
      encoding: 'utf8',
    });
    expect(outcome.status, outcome.stderr).toBe(0);
    const [label, header = ''] = outcome.stdout.trim().split('\n').slice(-2);
    const classify = await loadClassifier(hub);
    expect((await classify(join(hub, 'photo.jpg')))[0]?.label).toBe(label);
    await classify.close();
    expect(JSON.parse(header)).toMatchObject({ license: 'unknown', pipeline_tag: 'image-classification' });
    // Decoded pixels of one size are the same; resized ones may be rounded otherwise, by one of 255 levels.
    const level = 1 / 255 / Math.min(...preprocessing.std);
    for (const [name, limit] of [
      ['exact.png', 1e-6],
      ['photo.jpg', 1.01 * level],
    ] as const) {
      const pixels = await decodeView(readFileSync(join(hub, name)), name, preprocessing);
      const own = normalizedImages(fromArray(pixels).reshape([1, 32, 32, 3]), preprocessing, 'cpu');
      expect(maxDifference(own, loadNpy(join(hub, `${name}.npy`)))).toBeLessThanOrEqual(limit);
    }
  }, 120_000);
});
