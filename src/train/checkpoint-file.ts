/**
 * The metadata of a checkpoint (a safetensors file): numbers and strings, checked before anything is used.
 */
import { FileError, messageOf } from '../errors.js';
import { problemIn } from '../expectation.js';
import { openSafetensors, type SafetensorsFile } from '../files/index.js';
import type { EpochRecord } from '../flow.js';
import { z } from '../options.js';
import { parseStrict } from '../strict-json.js';
import { scope, type Tensor } from '../tensor/index.js';

export const format = 4;

/** JSON has neither NaN nor Inf: both are written as null and read as NaN. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const count = z.int().min(0);
const accuracy = z.strictObject({
  top1: number,
  top5: number,
  loss: number,
  count,
  nonFinite: count.optional(),
});
const epochRecord = z.strictObject({
  epoch: z.int().min(1),
  epochs: z.int().min(1),
  lr: number,
  loss: number,
  terms: z.record(z.string(), number),
  trainTop1: number.optional(),
  validation: accuracy.optional(),
  test: accuracy.optional(),
  imagesPerSecond: number,
  seconds: number,
});

const schema = z.strictObject({
  format: z.literal(format),
  /** The options that decide what is computed; a checkpoint with other options is refused. */
  config: z.record(z.string(), z.unknown()),
  step: count,
  microBatch: z.int().min(1),
  /** Names of all tensors in the file. */
  tensors: z.array(z.string()),
  /** Numbers in optimizer state, by parameter and name. */
  numbers: z.record(z.string().regex(/^\d+$/), z.record(z.string(), z.number())),
  groups: z.array(z.strictObject({ lr: z.number().min(0), initialLr: z.number().min(0).optional() })).min(1),
  lastEpoch: count,
  emaUpdates: count,
  scaler: z.strictObject({ scale: z.number().positive(), growthTracker: count }).optional(),
  meter: z.strictObject({ count: z.number().min(0), sums: z.record(z.string(), number) }),
  progress: z.strictObject({
    epochs: z.array(epochRecord),
    best: z.strictObject({ epoch: z.int().min(1), top1: z.number() }).optional(),
    skipped: count,
    epochSeconds: z.number().min(0),
  }),
});

/** The state of a run, without its tensors. */
export interface Progress {
  /** One record per complete epoch. */
  epochs: EpochRecord[];
  /** The best student's epoch, counted from 1, and top-1 in percent. */
  best?: { epoch: number; top1: number };
  /** Steps that were skipped because something was NaN or Inf. */
  skipped: number;
  /** Seconds spent on the epoch that is not complete yet. */
  epochSeconds: number;
}

export const newProgress = (): Progress => ({ epochs: [], skipped: 0, epochSeconds: 0 });

export type CheckpointMeta = Omit<z.output<typeof schema>, 'progress'> & { progress: Progress };

export interface Checkpoint {
  meta: CheckpointMeta;
  tensors: Record<string, Tensor>;
}

/** Reads a checkpoint. Throws FileError if its checksum, its metadata or its list of tensors is damaged. */
export function readCheckpoint(file: string): Checkpoint {
  using opened = openSafetensors(file);
  const meta = checked(file, opened);
  return { meta, tensors: scope(() => Object.fromEntries(opened.names.map((name) => [name, opened.get(name)]))) };
}

/** Returns what is wrong with a checkpoint; undefined if it is intact. */
export function damageOf(file: string): string | undefined {
  try {
    using opened = openSafetensors(file);
    checked(file, opened);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function checked(file: string, opened: SafetensorsFile): CheckpointMeta {
  const meta = checkedMeta(file, opened.metadata.checkpoint);
  if (!opened.verify()) throw new FileError(`${file} is damaged: it has no checksum, as every checkpoint has.`);
  const [listed, held] = [new Set(meta.tensors), new Set(opened.names)];
  const missing = meta.tensors.find((name) => !held.has(name));
  if (missing !== undefined) throw new FileError(`${file} is damaged: the tensor '${missing}' is missing.`);
  const stranger = opened.names.find((name) => !listed.has(name));
  if (stranger !== undefined)
    throw new FileError(`${file} is damaged: the tensor '${stranger}' does not belong into it.`);
  return meta;
}

function checkedMeta(file: string, text: string | undefined): CheckpointMeta {
  if (text === undefined) throw new FileError(`${file} is not a checkpoint: its metadata do not describe one.`);
  let content: unknown;
  try {
    content = parseStrict(text);
  } catch (error) {
    throw new FileError(`${file} is damaged: its metadata are not valid JSON (${messageOf(error)}).`, { cause: error });
  }
  const written = (content as { format?: unknown } | null)?.format;
  if (Number.isInteger(written) && written !== format)
    throw new FileError(
      `${file} was written in format ${written} of checkpoints, and this version of srrl reads format ${format}.`,
    );
  const { data, error } = schema.safeParse(content);
  if (!data) throw new FileError(`${file} is damaged: in its metadata, ${problemIn(schema, content, error)}.`);
  return data as CheckpointMeta;
}
