import { buffer } from 'node:stream/consumers';
import { writeFileAtomic } from '../../atomic.js';
import { ConfigError, DataError, FileError, messageOf } from '../../errors.js';
import { z } from '../../options.js';
import { imagesAt, standardInput } from '../../predict/files.js';
import { classifierOptions, type ImageClassifier, loadClassifier } from '../../predict/index.js';
import { printable } from '../../printable.js';
import { Progress } from '../../report/terminal.js';
import { defineCommand } from '../command.js';
import { type FormatName, formats, type Outcome } from '../predictions.js';

const { device, topK, batchSize, workers, model, data } = classifierOptions.shape;

/** Milliseconds that an incomplete batch waits: images keep coming, so it should fill up first. */
const patience = 60_000;
/** The fewest images for a progress bar; with fewer, it would vanish before anyone sees it. */
const many = 50;

export const predictCommand = defineCommand({
  name: 'predict',
  summary: 'classify images with a trained student',
  arguments: [
    { syntax: '<run>', description: 'run folder, student.safetensors, or TorchScript file of srrl export' },
    {
      syntax: '<image...>',
      description: 'files, folders (with the folders in them), or - for an image on standard input',
    },
  ],
  options: z.strictObject({
    topK,
    json: z.boolean().default(false).describe('one line of JSON per image on standard output'),
    csv: z.boolean().default(false).describe('CSV with a row per image and class'),
    out: z.string().optional().meta({ short: 'o' }).describe('file for the result instead of standard output'),
    device,
    batchSize,
    workers,
    model,
    data,
  }),
  examples: [
    'srrl predict runs/a photo.jpg',
    'srrl predict runs/a photos/ --top-k 1 --csv -o predictions.csv',
    'srrl predict runs/a - --json < photo.jpg',
  ],
  async run({ json, csv, out, ...options }, [source = '', ...paths]) {
    if (json && csv) throw new ConfigError('Give --json or --csv, not both.');
    const { images, skipped } = imagesAt(paths);
    if (skipped) console.error(`skipped files: ${skipped}`);
    const format: FormatName = json ? 'json' : csv ? 'csv' : 'table';
    const writer = out === undefined ? toStandardOutput : toFile(out);
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const classify = await loadClassifier(source, { ...given, maxDelayMs: patience });
    const quiet = images.length < many || !process.stderr.isTTY || (format !== 'table' && out === undefined);
    const progress = new Progress(images.length, 'images', { quiet });
    const outcomes: Outcome[] = [];
    let [done, failed] = [0, 0];
    try {
      const { begin = '', of, end } = formats[format];
      writer.write(begin);
      for await (const outcome of classified(classify, images, 4 * options.batchSize)) {
        if (end) outcomes.push(outcome);
        if ('error' in outcome) {
          failed++;
          if (quiet) console.error(outcome.error);
          else progress.say(outcome.error);
        }
        writer.write(of?.(outcome) ?? '');
        progress.update(++done);
      }
      writer.write(end?.(outcomes) ?? '');
    } finally {
      progress.stop();
      await classify.close();
    }
    writer.end();
    if (failed > 0) throw new DataError(`${failed} of ${images.length} images could not be read.`);
  },
});

/** Yields the outcomes in the order of the images, with `ahead` images in progress at a time. */
async function* classified(
  classify: ImageClassifier,
  images: readonly string[],
  ahead: number,
): AsyncGenerator<Outcome> {
  const underWay: Promise<Outcome>[] = [];
  for (const image of images) {
    underWay.push(outcomeOf(classify, image));
    if (underWay.length >= ahead) yield (await underWay.shift()) as Outcome;
  }
  for (const outcome of underWay) yield outcome;
}

/** Classifies one image; returns the error of an unreadable image, so that the others continue. */
async function outcomeOf(classify: ImageClassifier, image: string): Promise<Outcome> {
  try {
    const predictions =
      image === standardInput
        ? await classify(await buffer(process.stdin), { name: 'standard input' })
        : await classify(image);
    return { image, predictions };
  } catch (error) {
    if (error instanceof DataError) return { image, error: error.message };
    throw error;
  }
}

interface Writer {
  write(text: string): void;
  end(): void;
}

/** Escapes control characters on a terminal only; pipes and files receive the text unchanged. */
const toStandardOutput: Writer = {
  write: (text) => void process.stdout.write(process.stdout.isTTY ? printable(text) : text),
  end() {},
};

/** Returns a writer that writes the whole file at the end. */
function toFile(file: string): Writer {
  const parts: string[] = [];
  return {
    write: (text) => void parts.push(text),
    end() {
      try {
        writeFileAtomic(file, parts.join(''));
      } catch (error) {
        throw new FileError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error });
      }
    },
  };
}
