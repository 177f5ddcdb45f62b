/**
 * Every reader of bytes, for fuzzers: samples that are whole, and what reads them. Whatever the bytes are, reading ends
 * with a value or with an error of this package, soon, and leaves no tensor behind.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { readConfig } from '../../src/cli/config-file.js';
import { readSweep } from '../../src/cli/sweep-plan.js';
import { decode } from '../../src/data/decode.js';
import { openPacked, verifyPacked, writePacked } from '../../src/data/formats/packed.js';
import { readingOf, tarEntries } from '../../src/data/formats/tar.js';
import { loadExported } from '../../src/distill/exported/load.js';
import { verifyCache } from '../../src/distill/target-cache.js';
import { loadNumpyPickle } from '../../src/files/numpy-pickle.js';
import { loadStudent, models, openDataset, readRun, readStudentCard, saveStudent } from '../../src/index.js';
import { z } from '../../src/options.js';
import torch, { kindOfFile, loadNpy, loadNpz, loadPth, loadSafetensors, saveSafetensors } from '../../src/torch.js';
import { readCheckpoint } from '../../src/train/checkpoint-file.js';
import { checkZip } from '../../src/zip-check.js';
import { packageRoot } from '../helpers/cli.js';
import { fixturePath } from '../helpers/inputs.js';
import { repairTar, repairZip } from './repair.js';
import { cacheKey, idxImages, runAnalysis, runConfig, runEvents, shardSample, sweep, tarSample } from './samples.js';

export interface Target {
  name: string;
  /** Whole files. `folder` is for what must be written first. */
  samples(folder: string): Promise<Buffer[]>;
  /** Reads a file in a folder of its own. */
  read(file: string, folder: string): Promise<unknown> | unknown;
  /** The name that the file must have. */
  file: string;
  /** Writes the checksums of a changed file anew, so that more than their comparison is tried. Changes its argument. */
  repair?(bytes: Buffer): Buffer;
}

const fixtures = (folder: string, pattern: RegExp): Buffer[] =>
  readdirSync(fixturePath(folder))
    .filter((name) => pattern.test(name))
    .map((name) => readFileSync(join(fixturePath(folder), name)));

/** Other files that the reader wants to find in the folder. */
function withOthers(files: Record<string, Buffer>, sample: Buffer) {
  return async (folder: string): Promise<Buffer[]> => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return [sample];
  };
}

const fromFixtures = (folder: string, pattern: RegExp) => async () => fixtures(folder, pattern);

function written(write: (file: string) => unknown) {
  return async (folder: string): Promise<Buffer[]> => {
    const file = join(folder, 'sample.safetensors');
    await write(file);
    return [readFileSync(file)];
  };
}

/** What a checkpoint says of itself, with one weight. */
const checkpointMeta = {
  ...{
    format: 4,
    config: { lr: 0.1, epochs: 2 },
    step: 3,
    microBatch: 4,
    tensors: ['module.student.w', 'generator.cpu'],
  },
  ...{ numbers: { 0: { step: 3 } }, groups: [{ lr: 0.1 }], lastEpoch: 0, emaUpdates: 0 },
  meter: { count: 4, sums: { loss: 1.5 } },
  progress: { epochs: [], skipped: 0, epochSeconds: 1.5 },
};

const idxLabels = Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 3, 4]);
const idxOthers = {
  'train-labels-idx1-ubyte': idxLabels,
  't10k-images-idx3-ubyte': idxImages(),
  't10k-labels-idx1-ubyte': idxLabels,
};

export const targets: readonly Target[] = [
  {
    name: 'safetensors',
    file: 'a.safetensors',
    samples: written((file) =>
      torch.scope(() => saveSafetensors(file, { a: torch.ones([4, 3]), b: torch.arange(5) }, { k: 'v' })),
    ),
    read: loadSafetensors,
  },
  {
    name: 'checkpoint',
    file: 'checkpoint-000000003.safetensors',
    samples: written((file) =>
      torch.scope(() =>
        saveSafetensors(
          file,
          { 'module.student.w': torch.ones([2]), 'generator.cpu': torch.zeros([8], { dtype: 'uint8' }) },
          { checkpoint: JSON.stringify(checkpointMeta) },
        ),
      ),
    ),
    read: readCheckpoint,
  },
  {
    name: 'student',
    file: 'student.safetensors',
    samples: written((file) => {
      const student = models.create('resnet8', { numClasses: 3, inChannels: 1 });
      saveStudent(file, student, { model: 'resnet8', numClasses: 3, inChannels: 1, data: 'made' });
      student.dispose();
    }),
    read(file) {
      readStudentCard(file);
      loadStudent(file).student.dispose();
    },
  },
  { name: 'npy', file: 'a.npy', samples: fromFixtures('files', /\.npy$/), read: loadNpy },
  {
    name: 'npz',
    file: 'a.npz',
    samples: fromFixtures('files', /^(stored|deflated)\.npz$/),
    read: (file) => loadNpz(file, { maxBytes: 2 ** 24 }),
    repair: repairZip,
  },
  {
    name: 'pth',
    file: 'a.pth',
    samples: fromFixtures('files', /\.pth$/),
    read: async (file) => {
      await kindOfFile(file);
      await loadPth(file, { unknown: 'opaque' }).catch(() => {});
      return loadPth(file);
    },
    repair: repairZip,
  },
  {
    name: 'pickle',
    file: 'train',
    samples: async () =>
      ['protocol2', 'protocol4', 'protocol5'].flatMap((form) => fixtures(`cifar-python/${form}`, /./)),
    read: loadNumpyPickle,
  },
  {
    name: 'zip',
    file: 'a.pt',
    samples: async () => [readFileSync(join(packageRoot, 'assets/shapes-teacher.pt'))],
    read: checkZip,
  },
  {
    name: 'pt2',
    file: 'a.pt2',
    samples: fromFixtures('exported', /^(plain|tied|vgg|double|cosine-head)\.(static|dynamic|decomposed)\.pt2$/),
    read: async (file) => (await loadExported(file)).module.dispose(),
    repair: repairZip,
  },
  {
    name: 'tar',
    file: 'a.tar',
    samples: async () => [tarSample()],
    read: (file) => readingOf(file, (size) => tarEntries(file, size)),
    repair: repairTar,
  },
  {
    name: 'shards',
    file: 'train-0.tar',
    samples: withOthers({ 'val-0.tar': shardSample() }, shardSample()),
    read: (_file, folder) => openDataset(`shards:${folder}?size=8`),
    repair: repairTar,
  },
  {
    name: 'idx',
    file: 'train-images-idx3-ubyte',
    samples: withOthers(idxOthers, idxImages()),
    read: (_file, folder) => openDataset(`mnist:${folder}`),
  },
  {
    name: 'idx labels',
    file: 'train-labels-idx1-ubyte',
    samples: withOthers({ ...idxOthers, 'train-images-idx3-ubyte': idxImages() }, idxLabels),
    read: (_file, folder) => openDataset(`mnist:${folder}`),
  },
  {
    name: 'idx.gz',
    file: 'train-images-idx3-ubyte.gz',
    samples: withOthers(idxOthers, gzipSync(idxImages())),
    read: (_file, folder) => openDataset(`mnist:${folder}`),
  },
  {
    name: 'cifar',
    file: 'train.bin',
    samples: withOthers({ 'test.bin': Buffer.alloc(3074, 1) }, Buffer.alloc(2 * 3074, 1)),
    read: (_file, folder) => openDataset(`cifar100:${folder}`),
  },
  {
    name: 'packed',
    file: 'a.pack',
    async samples(folder) {
      const file = join(folder, 'sample.pack');
      await writePacked(await openDataset('shapes:12?test=12'), file);
      return [readFileSync(file)];
    },
    read(file) {
      openPacked(file);
      verifyPacked(file);
    },
  },
  {
    name: 'parquet',
    file: 'train.parquet',
    samples: fromFixtures('parquet/codecs', /^train-/),
    async read(_file, folder) {
      writeFileSync(join(folder, 'test.parquet'), readFileSync(join(fixturePath('parquet/codecs'), 'test.parquet')));
      const { train } = await openDataset(`parquet:${folder}?size=8`);
      if ('read' in train) for (const row of train.labels.keys()) await train.read(row);
    },
  },
  {
    name: 'image',
    file: 'a.jpg',
    async samples() {
      const raw = { width: 24, height: 16, channels: 3 as const };
      const image = sharp(Buffer.alloc(24 * 16 * 3, 99), { raw });
      return Promise.all([
        image.clone().jpeg().toBuffer(),
        image.clone().png().toBuffer(),
        image.clone().webp().toBuffer(),
      ]);
    },
    read: (file) => decode(readFileSync(file), file, 8),
  },
  {
    name: 'run configuration',
    file: 'config.yaml',
    samples: async () => [runConfig],
    read: (_file, folder) => readRun(folder),
  },
  {
    name: 'events of a run',
    file: 'events.jsonl',
    samples: withOthers({ 'config.yaml': runConfig }, runEvents),
    read: (_file, folder) => readRun(folder),
  },
  {
    name: 'analysis of a run',
    file: 'analysis.json',
    samples: withOthers({ 'config.yaml': runConfig }, runAnalysis),
    read: (_file, folder) => readRun(folder),
  },
  {
    name: 'steps of a run',
    file: 'steps.csv',
    samples: withOthers({ 'config.yaml': runConfig }, Buffer.from('step,epoch,loss\n1,1,0.5\n2,1,\n')),
    read: (_file, folder) => readRun(folder),
  },
  { name: 'configuration', file: 'config.yaml', samples: async () => [runConfig], read: (file) => readConfig(file) },
  {
    name: 'sweep',
    file: 'sweep.yaml',
    samples: async () => [sweep],
    read: (file) => readSweep(file, { train: z.looseObject({}), distill: z.looseObject({}) }),
  },
  {
    name: 'teacher cache',
    file: 'key.json',
    samples: withOthers({ 'features.bin': Buffer.alloc(48), 'sums.bin': Buffer.alloc(24) }, cacheKey),
    read: (_file, folder) => verifyCache(folder),
  },
];
