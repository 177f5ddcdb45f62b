/** Runs a student in a Node.js program: images in, classes out, off the event loop. */
import { checkCall, type Kinds } from '../call.js';
import { validate, z } from '../options.js';
import type { ReadyCard } from './card.js';
import type { Prediction } from './engine.js';
import { type ImageInput, sendable } from './image-input.js';
import { PredictThread } from './thread.js';

/** How {@link loadClassifier} runs a student. */
export const classifierOptions = z.strictObject({
  device: z.string().default('cpu').describe('where the network runs: cpu, cuda or cuda:1'),
  topK: z.int().min(1).default(5).describe('classes returned for an image, the likeliest first; at most all'),
  batchSize: z.int().min(1).max(4096).default(32).describe('largest number of images in a batch'),
  maxDelayMs: z.number().min(0).default(5).describe('most milliseconds that an image waits for others on their way'),
  workers: z.int().min(1).max(1024).default(4).describe('images decoded at the same time'),
  model: z.string().optional().describe('module:FILE that makes the network, if it is your own and its file has moved'),
  data: z
    .string()
    .optional()
    .describe('data set with the class names, for students of early versions, which did not save them'),
});

/** Options of {@link loadClassifier}. */
export type ClassifierOptions = z.input<typeof classifierOptions>;

const kinds: Kinds<ClassifierOptions> = {
  device: 'string',
  topK: 'number',
  batchSize: 'number',
  maxDelayMs: 'number',
  workers: 'number',
  model: 'string',
  data: 'string',
};

const callKinds: Kinds<ClassifyOptions> = { name: 'string' };

/** Options of one call. */
export interface ClassifyOptions {
  /** The name in error messages of an image that is not a file, such as the name of an upload. */
  name?: string;
}

/** A student that is ready to classify images; see {@link loadClassifier}. */
export interface ImageClassifier {
  /**
   * Returns the most likely classes of an image, the most likely first. Rejects with DataError naming the image if it
   * cannot be decoded, ArgumentError if it is not an image, and DisposedError after {@link close}.
   */
  (image: ImageInput, options?: ClassifyOptions): Promise<Prediction[]>;
  /** Classifies several images; rejects if one of them cannot be decoded. */
  (images: readonly ImageInput[], options?: ClassifyOptions): Promise<Prediction[][]>;
  /** The student's description from its file. */
  readonly card: ReadyCard;
  /** The names of the classes, by class number. */
  readonly classes: readonly string[];
  /** Finishes pending requests and frees the network. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Loads a student from a run folder, a `student.safetensors` or an exported TorchScript file, and returns a function
 * that classifies images. It decodes, resizes and normalizes them exactly as evaluations do. Concurrent requests run in
 * one batch: an image waits at most `maxDelayMs` for others that are being decoded, and a single one does not wait.
 * Everything runs in its own thread, which does not keep the process alive while it is idle.
 *
 *     await using classify = await loadClassifier('runs/a', { topK: 3 });
 *     const [best] = await classify('photo.jpg');
 *     console.log(best.label, best.probability);
 *
 * Throws FileError if the file is not a student, or its network cannot be rebuilt.
 */
export async function loadClassifier(source: string, options: ClassifierOptions = {}): Promise<ImageClassifier> {
  checkCall('loadClassifier', ['source'], kinds, arguments);
  const thread = await PredictThread.open(source, validate(classifierOptions, options, 'loadClassifier()'));
  const one = (image: ImageInput, name?: string) => thread.predict(sendable(image, name));
  async function classify(
    images: ImageInput | readonly ImageInput[],
    { name }: ClassifyOptions = {},
  ): Promise<unknown> {
    checkCall('classify', ['image'], callKinds, arguments);
    return Array.isArray(images)
      ? Promise.all((images as ImageInput[]).map((image) => one(image, name)))
      : one(images as ImageInput, name);
  }
  const { card } = thread;
  const close = () => thread.close();
  return Object.assign(classify as ImageClassifier, {
    card,
    classes: card.classes,
    close,
    [Symbol.asyncDispose]: close,
  });
}
