/** What a deployed student needs to be used, stored in the file itself. */
import type { StudentCard } from '../distill/saved-student.js';
import type { FileOptions } from './options.js';

/** How an exported file was compared with the student that it was made of. */
export interface Verification {
  /** What ran the file: `onnxruntime 1.30.0`, `libtorch 2.13.0`. */
  runtime: string;
  /** Why the runtime of the format did not run it; absent where it did. */
  missing?: string;
  /** How many images were compared, and where they are from. */
  images: number;
  source: string;
  /** Of the outputs: logits, or probabilities with preprocessing. */
  maxDifference: number;
  /** Absent for int8, which is judged by its accuracy. */
  tolerance?: number;
  /** Share of images with the same first class, 0..1. */
  sameTop1: number;
  /** Median time of a forward, in milliseconds. Not stored in the file, which it would make another one each time. */
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
  /** Of this layout. */
  version: 1;
  /** Name in `srrl models`, or the class of a model of your own. */
  model: string;
  parameters: number;
  classes?: readonly string[];
  numClasses: number;
  /** [C, H, W] */
  input: readonly number[];
  /** Of the images in the scale 0..1, per channel; absent where the images are fed as they are. */
  mean?: readonly number[];
  std?: readonly number[];
  /** What the file takes and returns. */
  takes: 'float32 [N, C, H, W], normalized' | 'uint8 [N, H, W, C]';
  returns: 'logits' | 'probabilities';
  precision: 'float32' | 'float16' | 'int8';
  folded: boolean;
  /** A number where the file takes that many images and no others. */
  batch: number | 'dynamic';
  /** The data set that it was trained on. */
  data?: string;
  quantization?: QuantizationRecord;
  verified?: Verification;
}

/** The part of a card that follows from the options. */
export function cardParts({ withPreprocessing, fold, half, int8, batch }: FileOptions) {
  return {
    takes: withPreprocessing ? 'uint8 [N, H, W, C]' : 'float32 [N, C, H, W], normalized',
    returns: withPreprocessing ? 'probabilities' : 'logits',
    precision: int8 ? 'int8' : half ? 'float16' : 'float32',
    folded: fold || int8,
    batch: batch === 'dynamic' ? 'dynamic' : Number(batch),
  } satisfies Partial<ExportCard>;
}

/** A student's own card without paths of this machine, which mean nothing elsewhere and may tell too much. */
export function published({ command: _, module: __, teacher, ...student }: StudentCard, data = ''): StudentCard {
  const source = teacher?.source.split(/[\\/]/).at(-1);
  return { ...student, data, ...(teacher && source !== undefined && { teacher: { ...teacher, source } }) };
}

/** What a file says of itself, as JSON: a student's card, which predictions read, and what the export adds to it. */
export function cardText({ card, student }: { card: ExportCard; student: StudentCard }): string {
  const { version: layout, ...exported } = card;
  return JSON.stringify({ ...published(student, card.data), ...exported, layout });
}
