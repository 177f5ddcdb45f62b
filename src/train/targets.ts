/** Where h_T and z_T of a training batch come from: the teacher itself, or what it once gave. */
import type { Dataset } from '../data/dataset.js';
import { upload } from '../data/device-views.js';
import { fingerprintOf, imageCount } from '../data/fingerprint.js';
import { imagesOf } from '../data/plain-view.js';
import { meanOption, stdOption } from '../distill/adapted-teacher.js';
import { withinRounding } from '../distill/equal.js';
import type { Precision } from '../distill/fast-form.js';
import { type CacheKey, TargetCache, type TargetsOnDevice } from '../distill/target-cache.js';
import type { Teacher } from '../distill/teacher.js';
import type { FastForm } from '../distill/teacher-base.js';
import { ConfigError, TeacherError } from '../errors.js';
import type { Batch, Features } from '../flow.js';
import { grouped, z } from '../options.js';
import type { Tensor } from '../tensor/index.js';
import type { EffectiveTrainOptions } from './options.js';
import { Ranks } from './ranks.js';

const shape = grouped('teacher', {
  teacherMean: meanOption
    .optional()
    .describe("mean of the images that the teacher was trained on, per channel; default: the data set's"),
  teacherStd: stdOption
    .optional()
    .describe("standard deviation of the images that the teacher was trained on, per channel; default: the data set's"),
  teacherSize: z.int().min(1).optional().describe('height and width to which images are resized for the teacher'),
  accelerate: z
    .boolean()
    .default(true)
    .meta({ off: 'run the teacher unchanged, without folding its normalizations into its convolutions' })
    .describe("fold the teacher's normalizations into its convolutions, where that gives the same up to rounding"),
  teacherCache: z
    .string()
    .optional()
    .describe("folder that caches the teacher's features, one short vector per view of an image"),
  cacheDtype: z.enum(['float16', 'float32']).default('float16').describe('dtype of the cached features'),
  checkCache: z
    .boolean()
    .default(false)
    .describe('compare everything that is read from the cache with the teacher itself'),
});

/** How the teacher is run. */
export const teacherOptions = z.strictObject(shape);
export type TeacherRunOptions = z.input<typeof teacherOptions>;
export type EffectiveTeacherOptions = z.output<typeof teacherOptions>;

/** Views an image has where features are kept and the number was not chosen. */
export const defaultViews = 8;

export interface Targets {
  /** Whether all that it does, once a batch was seen, is the device's work: then it can be recorded. */
  readonly recordable: boolean;
  /** Whether of batches that the host makes, it needs numbers of the host's as well. */
  readonly needsHost?: boolean;
  /** Called when an epoch begins: whether it is recordable may change. */
  begin?(): void;
  of(batch: Batch): Features;
  /** What is to be told since the last call. */
  news?(): string[];
  dispose(): void;
}

interface TargetSetup {
  teacher: Teacher;
  data: Dataset;
  options: EffectiveTrainOptions;
  teacherOptions: EffectiveTeacherOptions;
}

export function targetsOf(setup: TargetSetup): Targets {
  const { teacherCache } = setup.teacherOptions;
  const live = liveTargets(setup);
  return teacherCache === undefined ? live : cachedTargets(setup, teacherCache, live);
}

/** What the teacher gives, in its faster form where there is one; that is found out with the first batch. */
function liveTargets({ teacher, options, teacherOptions: { accelerate } }: TargetSetup): Targets {
  let form: FastForm | Teacher | undefined = accelerate ? undefined : teacher;
  return {
    recordable: true,
    of({ images }) {
      form ??= fastForm(teacher, images, options.precision) ?? teacher;
      return form.forward(images);
    },
    dispose() {
      if (form !== teacher) form?.dispose();
    },
  };
}

/**
 * A network that cannot be recorded is not an error: it runs as it is, and says itself what is wrong with the images,
 * if anything.
 */
function fastForm(teacher: Teacher, images: Batch['images'], precision: Precision): FastForm | undefined {
  try {
    return teacher.accelerated(images, precision);
  } catch {
    return undefined;
  }
}

/**
 * The features of a cache, which the teacher fills where they are missing. Throws ConfigError where views are not
 * functions of one image.
 */
function cachedTargets(
  { teacher, data, options, teacherOptions }: TargetSetup,
  directory: string,
  live: Targets,
): Targets {
  const { cacheDtype: dtype, checkCache } = teacherOptions;
  const { seed, dataSeed = seed, views = defaultViews, precision, augment, augmentation } = options;
  if (augmentation?.mixup || augmentation?.cutmix) {
    throw new ConfigError(
      'mixup and CutMix put two images together, so the teacher sees no view twice: use them without --teacher-cache.',
    );
  }
  const { mean, std, augment: usual } = data;
  const key: CacheKey = {
    teacher: teacher.fingerprint(),
    data: fingerprintOf(data),
    seed: dataSeed,
    views,
    images: imageCount(data),
    width: teacher.featureChannels,
    seen: { mean, std, usual, augment: augmentation ?? augment, precision },
    dtype,
  };
  const ranks = Ranks.current();
  const open = () => TargetCache.open(directory, key);
  const cache = ranks ? ranks.firstOnMachineFirst(open) : open();
  const { device } = teacher;
  const images = imagesOf(data.train, [...data.train.labels.keys()]);
  /** From the time on when nothing is missing. */
  let resident: TargetsOnDevice | undefined;
  let mayBeResident = device !== 'cpu' && options.recordSteps && !checkCache;
  // The first batch always: an hour of training on another teacher's features would be lost.
  let unchecked = true;
  const read = (batch: Batch): Tensor => {
    if (resident && batch.views.onDevice) return resident.read(batch.views.onDevice);
    let h = cache.read(batch.views);
    if (!h) {
      cache.write(batch.views, live.of(batch).pooled);
      // As it comes out, also the first time: a run gives the same whether the cache was full or empty.
      h = cache.read(batch.views) as Tensor;
    } else if (unchecked || checkCache) compare(cache, h, live.of(batch).pooled);
    unchecked = false;
    return upload(h, device);
  };
  return {
    needsHost: true,
    get recordable() {
      return resident !== undefined;
    },
    begin() {
      if (!mayBeResident || !cache.covers(images) || cache.dropDamaged() > 0) return;
      mayBeResident = false;
      resident = cache.onDevice(device);
    },
    of(batch) {
      const pooled = read(batch);
      return { pooled, logits: teacher.classify(pooled), stages: [] };
    },
    news: () => cache.news(),
    dispose() {
      live.dispose();
      cache.dispose();
      resident?.dispose();
    },
  };
}

function compare({ folder }: TargetCache, kept: Features['pooled'], live: Features['pooled']): void {
  if (withinRounding([kept], [live.to({ dtype: 'float32', device: kept.device })], 2e-3)) return;
  throw new TeacherError(
    `The features in ${folder} are not what the teacher gives for these images.\nDelete the folder; it is filled again.`,
  );
}
