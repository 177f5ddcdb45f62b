import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { usualView } from '../../data/crop.js';
import { imagenetStatistics } from '../../data/dataset.js';
import { saveStudent } from '../../distill/saved-student.js';
import { savePth } from '../../files/index.js';
import { create } from '../../models/index.js';
import { imagesAt } from '../../predict/files.js';
import { loadClassifier } from '../../predict/index.js';
import { manualSeed, scope } from '../../tensor/index.js';
import { milliseconds } from '../clock.js';
import { drawPhotos } from '../photos.js';
import type { BenchContext, OpenCase, PeerForm, Suite } from '../suite.js';

const peers: readonly PeerForm[] = [
  { name: 'Pillow, eager', variant: 'eager' },
  { name: 'DataLoader with Pillow and 2 workers, channels_last', variant: 'workers' },
];

/** A network that takes most of the time, and one with which decoding does. */
const students = [
  { model: 'resnet18', size: 224, photos: 32 },
  { model: 'resnet8x4', size: 64, photos: 64 },
] as const;
const numClasses = 100;

export const predictSuite: Suite = {
  name: 'predict',
  summary: 'photos to classes, by a loaded classifier; against a script with PyTorch and Pillow',
  cpuOnly: 'the CPU decodes JPEG files',
  peer: 'predict.py',
  rounds: 5,
  cases: (context) =>
    students.map(({ model, size, photos }) => ({
      name: `${model}, ${size}x${size}`,
      unit: 'images/s',
      better: 'higher',
      peers,
      open: () => open(context, model, context.tiny ? 64 : size, context.tiny ? 3 : photos),
    })),
};

async function open(context: BenchContext, model: string, size: number, count: number): Promise<OpenCase> {
  const place = context.photos ?? join(context.folder, 'photos');
  if (!existsSync(place)) await drawPhotos(place, context.tiny ? 4 : 192);
  const files = imagesAt([join(place, 'train')]).images.slice(0, count);
  const { mean, std } = imagenetStatistics;
  const weights = join(context.folder, `${model}.pth`);
  const file = join(context.folder, `${model}.safetensors`);
  manualSeed(0);
  const student = create(model, { numClasses });
  const classes = Array.from({ length: numClasses }, (_, i) => `class ${i}`);
  const card = { model, numClasses, inChannels: 3, data: 'none', classes };
  saveStudent(file, student, { ...card, preprocessing: { ...usualView(size), mean, std } });
  await scope(() => savePth(weights, student.stateDict()));
  student.dispose();
  const batchSize = 32;
  const classify = await loadClassifier(file, { topK: 1, batchSize, device: context.device, maxDelayMs: 1000 });
  const { resize, crop } = usualView(size);
  return {
    question: { model, numClasses, weights, files, batchSize, resize: resize[0], crop: crop[0], mean, std },
    check: async () => {
      const found = await classify(files);
      const sum = found.reduce((total, [best]) => total + (best?.probability ?? 0), 0);
      return { images: found.length, 'mean probability of the likeliest class': sum / found.length };
    },
    measure: async () => (1000 * files.length) / (await milliseconds(() => classify(files))),
    dispose: () => void classify.close(),
  };
}
