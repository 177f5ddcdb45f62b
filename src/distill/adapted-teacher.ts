/** Teachers trained on images with another normalization or size than those of a run. */
import { createHash } from 'node:crypto';
import { ConfigError } from '../errors.js';
import type { Features } from '../flow.js';
import { z } from '../options.js';
import { fromArray, keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { Precision } from './fast-form.js';
import { type FastForm, TeacherBase } from './teacher-base.js';

const example = 'as in 0.485,0.456,0.406';
const perChannel = (number: z.ZodNumber) => z.array(number).min(1, `expects one number per channel, ${example}`);

/** Means for normalizing images, per channel in the scale 0..1. */
export const meanOption = perChannel(
  z
    .number()
    .min(0, `is in the scale 0..1, ${example}`)
    .max(1, `is in the scale 0..1, ${example}; divide numbers of the scale 0..255 by 255`),
);
/** Standard deviations for normalizing images, per channel in the scale 0..1. */
export const stdOption = perChannel(
  z
    .number()
    .gt(0, 'must be above 0, as in 0.229,0.224,0.225')
    .max(1, 'is in the scale 0..1, as in 0.229,0.224,0.225; divide numbers of the scale 0..255 by 255'),
);

/** How a teacher expects its images. */
export interface Preprocessing {
  /** Mean per channel in the scale 0..1, subtracted from the teacher's images. Default: the data set's. */
  mean?: readonly number[];
  /** Standard deviation per channel in the scale 0..1, by which they are divided. Default: the data set's. */
  std?: readonly number[];
  /** Height and width to which images are resized (bilinear, antialiased). Default: no resizing. */
  size?: number;
}

/** Returns the options that are set; undefined if none is. */
export function preprocessingOf({ mean, std, size }: Preprocessing): Preprocessing | undefined {
  const given = { ...(mean && { mean }), ...(std && { std }), ...(size !== undefined && { size }) };
  return Object.keys(given).length > 0 ? given : undefined;
}

/** The normalization of a data set's images. */
interface Images {
  source: string;
  channels: number;
  mean: readonly number[];
  std: readonly number[];
}

/**
 * Throws ConfigError if a mean or std is invalid or does not fit the number of channels. `flag` precedes `mean` and
 * `std` in messages.
 */
export function checkStatistics({ mean, std }: Preprocessing, { channels, source }: Images, flag = '--'): void {
  for (const [name, values, option] of [
    ['mean', mean, meanOption],
    ['std', std, stdOption],
  ] as const) {
    if (values === undefined) continue;
    const { error } = option.safeParse(values);
    if (error) throw new ConfigError(`${flag}${name} ${values.join(',')}: it ${error.issues[0]?.message}.`);
    if (values.length === channels) continue;
    const shown = Array.from({ length: channels }, (_, i) => [0.485, 0.456, 0.406][i] ?? 0.5).join(',');
    throw new ConfigError(
      `${flag}${name} ${values.join(',')} has ${values.length} numbers; the images of ${source} have ${channels} channels. Pass one number per channel, as in ${flag}${name} ${shown}.`,
    );
  }
}

/**
 * A teacher that receives images in its own normalization and size. It accepts images in the scale 0..1, or, after
 * {@link seeing}, images normalized as in a data set.
 */
export class AdaptedTeacher extends TeacherBase {
  readonly #scale: Tensor | undefined;
  readonly #shift: Tensor | undefined;

  constructor(
    readonly inner: TeacherBase,
    readonly preprocessing: Preprocessing,
    from: Pick<Images, 'mean' | 'std'> = { mean: [0], std: [1] },
  ) {
    super(inner.source, inner.classifierName, inner.weight, inner.bias);
    const { mean = from.mean, std = from.std } = preprocessing;
    if (mean.join() === from.mean.join() && std.join() === from.std.join()) return;
    const at = (values: readonly number[], i: number) => values[values.length === 1 ? 0 : i] as number;
    const channels = [...Array(Math.max(mean.length, from.mean.length)).keys()];
    // x' = (x * std + mean - mean') / std' as one multiplication and one addition.
    this.#scale = onDevice(
      channels.map((i) => at(from.std, i) / at(std, i)),
      inner.device,
    );
    this.#shift = onDevice(
      channels.map((i) => (at(from.mean, i) - at(mean, i)) / at(std, i)),
      inner.device,
    );
  }

  forward(images: Tensor): Features {
    return this.inner.forward(this.adapted(images));
  }

  accelerated(images: Tensor, precision?: Precision): FastForm | undefined {
    const form = scope(() => this.inner.accelerated(this.adapted(images), precision));
    return form && { forward: (batch) => form.forward(this.adapted(batch)), dispose: () => form.dispose() };
  }

  fingerprint(): string {
    const { mean, std, size } = this.preprocessing;
    return createHash('sha256')
      .update(this.inner.fingerprint())
      .update(JSON.stringify([mean, std, size]))
      .digest('hex');
  }

  override dispose(): void {
    this.#scale?.dispose();
    this.#shift?.dispose();
    this.inner.dispose();
  }

  private adapted(images: Tensor): Tensor {
    const { size } = this.preprocessing;
    const { shape } = images;
    const resized =
      size === undefined || (shape[2] === size && shape[3] === size)
        ? images
        : torch._upsampleBilinear2dAa(images, [size, size], false);
    return this.#scale && this.#shift ? resized.mul(this.#scale).add(this.#shift) : resized;
  }
}

function onDevice(values: number[], device: string): Tensor {
  return scope(() => keep(fromArray(Float32Array.from(values), [1, values.length, 1, 1]).to({ device })));
}

/**
 * Returns the teacher for images of a data set; the same one if it is not adapted. Throws ConfigError if its mean or
 * std do not fit the channels.
 */
export function seeing(teacher: TeacherBase, data: Images): TeacherBase {
  if (!(teacher instanceof AdaptedTeacher)) return teacher;
  const { inner, preprocessing } = teacher;
  checkStatistics(preprocessing, data, '--teacher-');
  return new AdaptedTeacher(inner, preprocessing, data);
}

/** Returns a teacher's preprocessing under the names of options; empty if it is the data set's. */
export function preprocessingConfig(teacher: TeacherBase | undefined): Record<string, unknown> {
  if (!(teacher instanceof AdaptedTeacher)) return {};
  const { mean, std, size } = teacher.preprocessing;
  return { ...(mean && { teacherMean: mean }), ...(std && { teacherStd: std }), ...(size && { teacherSize: size }) };
}
