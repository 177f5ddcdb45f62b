/** Provides h_T and z_T of a training batch: from the teacher itself, or from a cache of its features. */
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

/** The options of the teacher. */
export const teacherOptions = z.strictObject(shape);
export type TeacherRunOptions = z.input<typeof teacherOptions>;
export type EffectiveTeacherOptions = z.output<typeof teacherOptions>;

/** Default number of views per image if features are cached. */
export const defaultViews = 8;

export interface Targets {
  /** Whether, after the first batch, all work is on the device, so that it can be captured. */
  readonly recordable: boolean;
  /** Whether for batches from the host it also needs numbers on the host. */
  readonly needsHost?: boolean;
  /** Called when an epoch begins; may change {@link recordable}. */
  begin?(): void;
  of(batch: Batch): Features;
  /** Returns the notices since the last call. */
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

/** Targets from the teacher, in its faster form if there is one, which the first batch decides. */
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
 * Returns the faster form of a teacher, or undefined. A network that cannot be traced is not an error: it runs
 * unchanged, and reports wrong images itself.
 */
function fastForm(teacher: Teacher, images: Batch['images'], precision: Precision): FastForm | undefined {
  try {
    return teacher.accelerated(images, precision);
  } catch {
    return undefined;
  }
}

/**
 * Targets from a cache, in which the teacher fills missing features. Throws ConfigError with mixup or CutMix, because
 * views then depend on two images.
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
  /** Set as soon as no feature is missing. */
  let resident: TargetsOnDevice | undefined;
  let mayBeResident = device !== 'cpu' && options.recordSteps && !checkCache;
  // The first batch is always checked: training on another teacher's features would be lost.
  let unchecked = true;
  const read = (batch: Batch): Tensor => {
    if (resident && batch.views.onDevice) return resident.read(batch.views.onDevice);
    let h = cache.read(batch.views);
    if (!h) {
      cache.write(batch.views, live.of(batch).pooled);
      // Read back, also the first time, so that results are the same with a full or an empty cache.
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
