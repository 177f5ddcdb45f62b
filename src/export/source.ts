/** Opens what to export: the student of a run, or the user's own model. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/datasets/index.js';
import { evaluationViewOf } from '../data/evaluation-view.js';
import { Loader } from '../data/loader.js';
import { asSeenBy, loadStudent, type StudentCard, studentFiles } from '../distill/saved-student.js';
import { ConfigError, FileError, messageOf, SrrlError } from '../errors.js';
import { Module } from '../nn/index.js';
import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { ExportCard } from './card.js';
import { type SeedsRecord, seedsAround } from './seeds.js';

/** Your own model, not from a run, and a description of its images. */
export interface OwnModel {
  /** Returns logits [N, K] for images [N, C, H, W]. */
  model: Module;
  /** [C, H, W] */
  image: readonly number[];
  /** Mean and deviation of images in 0..1, per channel. Default: images are not normalized. */
  mean?: readonly number[];
  std?: readonly number[];
  /** Class names, in order. Default: those of the data set. */
  classes?: readonly string[];
  /** Data for calibration and verification. Default: synthetic images. */
  data?: string | Dataset;
}

/** The student to export, with its cards and data. */
export interface Source {
  model: Module;
  card: Pick<ExportCard, 'model' | 'parameters' | 'classes' | 'numClasses' | 'input' | 'mean' | 'std' | 'data'>;
  /** The card in the student's file, or the one that a run would have written. */
  student: StudentCard;
  /** Accuracy over the runs that differ only in their seed, including this one; absent if it is the only one. */
  seeds?: SeedsRecord;
  data: Dataset | undefined;
  /** Why there is no data. */
  withoutData?: string;
  dispose(): void;
}

/** Opens a run or a model. Throws FileError if a run has no student or has not finished. */
export async function openSource(what: string | OwnModel, dataOption: string | undefined): Promise<Source> {
  if (typeof what !== 'string') return ownSource(what, dataOption);
  refuseUnfinished(what);
  const { student, card } = loadStudent(what);
  try {
    const { data, why } = await openData(dataOption, card.data);
    const seen = data && asSeenBy(card, data);
    const input = card.input ?? (data && [data.channels, data.height, data.width]);
    if (!input)
      throw new ConfigError(
        `${what} does not say how large its images are (an older version wrote it), and its data cannot be opened: ${why}\nGive the data set with --data.`,
      );
    if (seen) checkFits(seen, card.numClasses, input, what);
    const statistics = seen ? { mean: seen.mean, std: seen.std } : statisticsOf(card);
    return {
      model: student,
      card: {
        model: card.model,
        parameters: student.numParameters(),
        ...(seen && { classes: seen.classes }),
        numClasses: card.numClasses,
        input,
        ...statistics,
        data: card.data,
      },
      student: completed(card, input, seen),
      ...seedsAround(what),
      data: seen,
      ...(why !== undefined && { withoutData: why }),
      dispose: () => student.dispose(),
    };
  } catch (error) {
    student.dispose();
    throw error;
  }
}

/** Adds to a card what files of older versions lack. */
function completed(card: StudentCard, input: readonly number[], data: Dataset | undefined): StudentCard {
  if (!data) return { ...card, input: [...input] };
  const preprocessing = { ...evaluationViewOf(data), mean: data.mean, std: data.std };
  return { preprocessing, classes: [...data.classes], ...card, input: [...input] };
}

const statisticsOf = ({ mean, std }: StudentCard) => (mean && std ? { mean, std } : {});

/** Throws if a run is unfinished: it has the best student so far, but not the last one. */
function refuseUnfinished(path: string): void {
  const has = (name: string) => existsSync(join(path, name));
  if (path.endsWith('.safetensors') || !has('config.yaml') || has(studentFiles.last)) return;
  const best = has(studentFiles.best) ? `, or export its best student so far: ${join(path, studentFiles.best)}` : '';
  throw new FileError(`The run in ${path} has not finished. Resume it with --resume${best}.`);
}

async function ownSource(own: OwnModel, dataOption: string | undefined): Promise<Source> {
  const { model, image, mean, std, classes } = own;
  if (!(model instanceof Module)) throw new ConfigError('exportStudent: model must be a Module.');
  if (!(Array.isArray(image) && image.length === 3 && image.every((size) => Number.isInteger(size) && size > 0)))
    throw new ConfigError(
      `exportStudent: image must be [C, H, W], the size of the images, not ${JSON.stringify(image)}.`,
    );
  if ((mean && mean.length !== image[0]) || (std && std.length !== image[0]) || !mean !== !std)
    throw new ConfigError(`exportStudent: mean and std must both hold ${image[0]} numbers, one a channel.`);
  const numClasses = classesOf(model, image);
  if (classes && classes.length !== numClasses)
    throw new ConfigError(`The list of classes has ${classes.length} names; the model has ${numClasses} classes.`);
  const { data: opened } = typeof own.data === 'object' ? { data: own.data } : await openData(dataOption ?? own.data);
  const data = opened && mean && std ? { ...opened, mean, std } : opened;
  if (data) checkFits(data, numClasses, image, model.constructor.name);
  const names = classes ?? data?.classes;
  const statistics = data ? { mean: data.mean, std: data.std } : mean && std ? { mean, std } : {};
  return {
    model,
    card: {
      model: model.constructor.name,
      parameters: model.numParameters(),
      ...(names && { classes: names }),
      numClasses,
      input: image,
      ...statistics,
      ...(data && { data: data.source }),
    },
    student: ownCard({ model, image, numClasses, names, mean, std }, data),
    data,
    dispose: () => {},
  };
}

interface OwnFacts extends Pick<OwnModel, 'model' | 'image' | 'mean' | 'std'> {
  numClasses: number;
  names: readonly string[] | undefined;
}

/** Returns the card that a run would have written; by default, images are not normalized. */
function ownCard({ model, image, numClasses, names, mean, std }: OwnFacts, data: Dataset | undefined): StudentCard {
  const [channels = 1, height = 1, width = 1] = image;
  const same = (value: number): number[] => Array.from({ length: channels }, () => value);
  const view = data ? evaluationViewOf(data) : ({ resize: [height, width], crop: [height, width] } as const);
  return {
    model: model.constructor.name,
    object: true,
    numClasses,
    inChannels: channels,
    data: data?.source ?? '',
    input: [...image],
    ...(names && { classes: [...names] }),
    preprocessing: { ...view, mean: data?.mean ?? mean ?? same(0), std: data?.std ?? std ?? same(1) },
  };
}

/** Returns the number of logits of a model. */
function classesOf(model: Module, image: readonly number[]): number {
  return scope(() => {
    const training = [...model.namedModules()].map(([, module]) => [module, module.training] as const);
    try {
      const logits = (model.eval().forward as (images: Tensor) => unknown).call(model, torch.zeros([1, ...image]));
      const shape = (logits as Tensor | undefined)?.shape;
      if (!Array.isArray(shape) || shape.length !== 2)
        throw new ConfigError(`${model.constructor.name}.forward must return logits [N, K] to be exported.`);
      return shape[1] as number;
    } finally {
      for (const [module, was] of training) module.training = was;
    }
  });
}

/** Opens the requested data set, which must succeed, or else the run's, which may fail. */
async function openData(asked?: string, own?: string): Promise<{ data?: Dataset; why?: string }> {
  if (asked !== undefined) return { data: await openDataset(asked) };
  if (own === undefined) return { why: 'no data set is known' };
  try {
    return { data: await openDataset(own) };
  } catch (error) {
    if (!(error instanceof SrrlError)) throw error;
    return { why: messageOf(error).split('\n')[0] as string };
  }
}

function checkFits(data: Dataset, numClasses: number, input: readonly number[], what: string): void {
  if (data.classes.length !== numClasses)
    throw new ConfigError(`${data.source} has ${data.classes.length} classes and ${what} has ${numClasses}.`);
  const size = [data.channels, data.height, data.width];
  if (size.join() !== input.join())
    throw new ConfigError(
      `${what} takes images [${input.join(', ')}]; those of ${data.source} are [${size.join(', ')}].`,
    );
}

/** A batch of images as the network receives them: float32 [N, C, H, W], normalized. */
export interface Examples {
  images: Tensor;
  /** int64 [N]; absent for synthetic images. */
  labels?: Tensor;
}

/** Calls `use` with batches of up to `count` images of a split in total, in an order independent of the machine. */
export async function forEachBatch(
  data: Dataset,
  split: 'train' | 'test',
  { count, batchSize }: { count: number; batchSize: number },
  use: (examples: Examples) => Promise<void> | void,
): Promise<number> {
  const loader = new Loader(data, split, { batchSize, shuffle: true });
  let seen = 0;
  try {
    loader.begin(0);
    for (let step = 0; step < loader.steps && seen < count; step++) {
      await loader.ready(step);
      const { images, labels } = scope(() => {
        const batch = loader.batch(step);
        const wanted = Math.min(count - seen, batch.images.shape[0] as number);
        return {
          images: keep(batch.images.narrow(0, 0, wanted).clone()),
          labels: keep(batch.labels.narrow(0, 0, wanted).clone()),
        };
      });
      seen += images.shape[0] as number;
      try {
        await use({ images, labels });
      } finally {
        images.dispose();
        labels.dispose();
      }
    }
  } finally {
    loader.dispose();
  }
  return seen;
}

/** Returns synthetic images, the same each time; does not touch the default generator. */
export function syntheticImages(count: number, image: readonly number[]): Tensor {
  const [channels = 1, height = 1, width = 1] = image;
  return scope(() => {
    const step = torch.arange(count * channels * height * width, { dtype: 'float64' });
    return step
      .mul(12.9898)
      .sin()
      .mul(43758.5453)
      .frac()
      .mul(3)
      .to('float32')
      .reshape([count, channels, height, width]);
  });
}
