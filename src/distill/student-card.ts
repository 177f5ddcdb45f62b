/** The card of a saved student: JSON in the metadata of its file. */
import type { CenterView } from '../data/crop.js';
import { FileError, messageOf } from '../errors.js';
import { problemIn } from '../expectation.js';
import { z } from '../options.js';

/** A student's preprocessing of an image: resized to cover `resize`, center-cropped, normalized. */
export interface StudentPreprocessing extends CenterView {
  /** Per channel, in the scale 0..1. */
  mean: readonly number[];
  std: readonly number[];
}

/** A student's accuracy in percent, and the images that it was measured on. */
export interface StudentAccuracy {
  split: string;
  top1: number;
  top5: number;
  /** Number of images. */
  count: number;
}

/**
 * What a student needs to be made and used again, and where it came from. Everything behind `data` is absent in files
 * of older versions.
 */
export interface StudentCard {
  /** A name of the registry; `module:FILE` or the name of a class where the network is the user's own. */
  model: string;
  numClasses: number;
  inChannels: number;
  /** The data set it was trained on. */
  data: string;
  /** [C, H, W] of the training images. */
  input?: number[];
  /** Normalization of its images, if it differs from the data set's. */
  mean?: number[];
  std?: number[];
  /**
   * It predicts through a projector and the teacher's classifier: the teacher's last map, [C, H, W], and the
   * projector's factor.
   */
  projected?: { teacherMap: number[]; factor: number; studentChannels: number };
  /**
   * Where the network is made by a file of the user's: its path from the student's folder, and the name of the function
   * that it exports.
   */
  module?: { file: string; export: string };
  /** Whether the network was an object of the user's program, which alone can make it again. */
  object?: boolean;
  /** The names of the classes, in their order. */
  classes?: string[];
  /** Preprocessing of images in its evaluation. */
  preprocessing?: StudentPreprocessing;
  /** The method of its training. */
  method?: { name: string; options: Record<string, unknown> };
  /** The source of its teacher, and the SHA-256 of that file. */
  teacher?: { source: string; sha256?: string };
  /** SHA-256 of the training data: of images in memory, else of what identifies their files. */
  dataSha256?: string;
  accuracy?: StudentAccuracy;
  /** The epoch whose weights these are, counted from 1. */
  epoch?: number;
  /** The version of this package, and the commit where it was a checkout. */
  version?: string;
  commit?: string;
  /** The command line of the run. */
  command?: string;
  /** When it was written, ISO 8601. */
  date?: string;
}

const count = z.int().min(1);
const numbers = z.array(z.number());
const size = z.tuple([count, count]);

/** Newer versions may add keys; the keys listed here must have these types. */
const schema = z.looseObject({
  model: z.string(),
  numClasses: count,
  inChannels: count,
  data: z.string(),
  input: z.array(count).length(3).optional(),
  mean: numbers.optional(),
  std: numbers.optional(),
  projected: z.looseObject({ teacherMap: z.array(count), factor: z.number(), studentChannels: count }).optional(),
  module: z.looseObject({ file: z.string(), export: z.string() }).optional(),
  object: z.boolean().optional(),
  classes: z.array(z.string()).optional(),
  preprocessing: z.looseObject({ resize: size, crop: size, mean: numbers, std: numbers }).optional(),
  method: z.looseObject({ name: z.string(), options: z.record(z.string(), z.unknown()) }).optional(),
  teacher: z.looseObject({ source: z.string(), sha256: z.string().optional() }).optional(),
  dataSha256: z.string().optional(),
  accuracy: z.looseObject({ split: z.string(), top1: z.number(), top5: z.number(), count: z.int() }).optional(),
  epoch: z.int().optional(),
  version: z.string().optional(),
  commit: z.string().optional(),
  command: z.string().optional(),
  date: z.string().optional(),
});

/** Reads the text of a card. Throws FileError naming the `file` and what is wrong in it. */
export function parseCard(file: string, text: string): StudentCard {
  const refuse = (why: string, cause?: unknown): never => {
    const more = 'Write the file again: srrl distill --resume writes it after each epoch.';
    throw new FileError(`${file} describes its student wrongly: ${why}. ${more}`, { cause });
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return refuse(`it is no JSON (${messageOf(error)})`, error);
  }
  const { data: found, error } = schema.safeParse(content);
  if (!found) return refuse(problemIn(schema, content, error), error);
  const { classes, numClasses, inChannels, preprocessing } = found;
  if (classes && classes.length !== numClasses)
    return refuse(`it names ${classes.length} classes, the network has ${numClasses}`);
  for (const name of ['mean', 'std'] as const)
    if (preprocessing && preprocessing[name].length !== inChannels)
      return refuse(`preprocessing.${name} has ${preprocessing[name].length} numbers for ${inChannels} channels`);
  return found as StudentCard;
}
