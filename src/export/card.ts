/** The card of an exported student: what its users need to know, stored in the file itself. */
import type { StudentCard } from '../distill/saved-student.js';
import type { FileOptions } from './options.js';

/** The comparison of an exported file with its student. */
export interface Verification {
  /** The runtime that ran the file: `onnxruntime 1.30.0`, `libtorch 2.13.0`. */
  runtime: string;
  /** Why the format's own runtime did not run it; absent if it did. */
  missing?: string;
  /** Number of compared images, and their source. */
  images: number;
  source: string;
  /** The largest difference of the outputs: logits, or probabilities with preprocessing. */
  maxDifference: number;
  /** Absent for int8, which is judged by its accuracy. */
  tolerance?: number;
  /** Share of images with the same most likely class, 0..1. */
  sameTop1: number;
  /** Median time of a forward, in milliseconds. Not stored in the file, so that exports stay bitwise identical. */
  latency?: { images: number; milliseconds: number }[];
}

/** Accuracy before and after quantization, in percent. */
export interface QuantizationRecord {
  calibrationImages: number;
  /** Test images. */
  images: number;
  top1Before: number;
  top1After: number;
}

/** The card of an exported student, as JSON under the name `srrl`. */
export interface ExportCard {
  /** Version of this layout. */
  version: 1;
  /** Name in `srrl models`, or the class of a model of your own. */
  model: string;
  parameters: number;
  classes?: readonly string[];
  numClasses: number;
  /** [C, H, W] */
  input: readonly number[];
  /** Mean and deviation of images in 0..1, per channel; absent if images are not normalized. */
  mean?: readonly number[];
  std?: readonly number[];
  /** The input and output of the file. */
  takes: 'float32 [N, C, H, W], normalized' | 'uint8 [N, H, W, C]';
  returns: 'logits' | 'probabilities';
  precision: 'float32' | 'float16' | 'int8';
  folded: boolean;
  /** The fixed number of images that the file accepts, or `dynamic`. */
  batch: number | 'dynamic';
  /** The data set that the student was trained on. */
  data?: string;
  quantization?: QuantizationRecord;
  verified?: Verification;
}

/** Returns the part of a card that follows from the options. */
export function cardParts({ withPreprocessing, fold, half, int8, batch }: FileOptions) {
  return {
    takes: withPreprocessing ? 'uint8 [N, H, W, C]' : 'float32 [N, C, H, W], normalized',
    returns: withPreprocessing ? 'probabilities' : 'logits',
    precision: int8 ? 'int8' : half ? 'float16' : 'float32',
    folded: fold || int8,
    batch: batch === 'dynamic' ? 'dynamic' : Number(batch),
  } satisfies Partial<ExportCard>;
}

/** Returns a student's card without local paths, which are useless elsewhere and may reveal private information. */
export function published({ command: _, module: __, teacher, ...student }: StudentCard, data = ''): StudentCard {
  const source = teacher?.source.split(/[\\/]/).at(-1);
  return { ...student, data, ...(teacher && source !== undefined && { teacher: { ...teacher, source } }) };
}

/** Returns the card of a file as JSON: the student's card, which predictions read, and the additions of the export. */
export function cardText({ card, student }: { card: ExportCard; student: StudentCard }): string {
  const { version: layout, ...exported } = card;
  return JSON.stringify({ ...published(student, card.data), ...exported, layout });
}
