/** Pairs of teacher and student for measuring steps: real architectures on synthetic images. */
import type { Dataset, ImageSet } from '../data/dataset.js';
import { type Classifier, create } from '../models/index.js';
import { BatchNorm2d } from '../nn/index.js';
import { manualSeed, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

export interface Pair {
  teacher: string;
  student: string;
  numClasses: number;
  /** Height and width of the images. */
  size: number;
  /** Images per step on a CPU. */
  batchSize: number;
  /** Images per step on a GPU; each size is a case of its own. */
  gpuBatchSizes: readonly number[];
  lr: number;
}

/** The last pair has fewer images per step, so that a suite takes about two minutes on two cores. */
export const pairs: readonly Pair[] = [
  {
    teacher: 'wrn_40_2',
    student: 'wrn_16_2',
    numClasses: 100,
    size: 32,
    batchSize: 64,
    gpuBatchSizes: [64, 512],
    lr: 0.01,
  },
  {
    teacher: 'resnet32x4',
    student: 'resnet8x4',
    numClasses: 100,
    size: 32,
    batchSize: 64,
    gpuBatchSizes: [64, 512],
    lr: 0.01,
  },
  {
    teacher: 'resnet34',
    student: 'resnet18',
    numClasses: 1000,
    size: 224,
    batchSize: 8,
    gpuBatchSizes: [128],
    lr: 0.01,
  },
];

export const pairName = ({ teacher, student }: Pair): string => `${teacher} -> ${student}`;

/** Returns the pair with two small images per step. */
export const tinyPair = (pair: Pair): Pair => ({ ...pair, batchSize: 2, size: Math.min(pair.size, 64) });

/** Batches for comparing both sides; on a CPU, an epoch has no more, so that one epoch fills a cache. */
export const batches = 2;

/** Returns synthetic images and labels from a seed, in memory. */
export function noise({ numClasses, size, batchSize }: Pair, batchesPerEpoch = batches): Dataset {
  const count = batchesPerEpoch * batchSize;
  const split = scope((): ImageSet => {
    manualSeed(1);
    const images = torch.randint(0, 256, [count, 3, size, size], { dtype: 'uint8' }).toTypedArray() as Uint8Array;
    const labels = torch.randint(0, numClasses, [count], { dtype: 'int32' }).toTypedArray() as Int32Array;
    return { images, labels };
  });
  return {
    source: 'noise',
    classes: Array.from({ length: numClasses }, (_, i) => String(i)),
    channels: 3,
    height: size,
    width: size,
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    augment: { pad: 4, flip: true },
    train: split,
    test: split,
  };
}

/** Returns a network with initial weights from a seed. */
export function initial(name: string, numClasses: number, seed: number): Classifier {
  manualSeed(seed);
  return create(name, { numClasses });
}

/**
 * Returns a teacher whose batch normalizations have the statistics of these images, as a trained one has. Without them
 * activations grow by orders of magnitude over forty layers, and losses are meaningless.
 */
export function settledTeacher(name: string, numClasses: number, images: Tensor): Classifier {
  const teacher = initial(name, numClasses, 2);
  const norms = [...teacher.namedModules()]
    .map(([, module]) => module)
    .filter((module) => module instanceof BatchNorm2d);
  noGrad(() =>
    scope(() => {
      for (const { running_var } of norms) running_var.zero_();
      teacher.train().forward(images);
      // One pass from zero sets the statistics to `momentum` times the batch's.
      for (const { running_mean, running_var, momentum } of norms)
        for (const statistics of [running_mean, running_var]) statistics.div_(momentum ?? 1);
    }),
  );
  return teacher.eval();
}
