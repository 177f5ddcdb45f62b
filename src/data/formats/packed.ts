/**
 * A whole data set in one file: the pixels of all images, [N, C, H, W] as bytes, training images first; a JSON header;
 * its length (uint32, little-endian); and a magic number. The file is mapped into memory, so that a run starts at once
 * and data sets may be larger than memory.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, readSync, statSync, writeSync } from 'node:fs';
import { replaceFileAsync } from '../../atomic.js';
import { DataError, messageOf } from '../../errors.js';
import { problemIn } from '../../expectation.js';
import { partsOf } from '../../files/mapped.js';
import { z } from '../../options.js';
import { parseStrict } from '../../strict-json.js';
import { type Dataset, labelsOf, type MappedSet, type Split } from '../dataset.js';
import { decode } from '../decode.js';
import { evaluationViewOf } from '../evaluation-view.js';
import { openFile } from '../files.js';

const mark = Buffer.from('srrlpack');

const splitHeader = z.object({ count: z.int().min(1), labels: z.array(z.int().min(0)) });
const header = z.object({
  version: z.literal(1),
  source: z.string(),
  classes: z.array(z.string()).min(1),
  channels: z.int().min(1),
  height: z.int().min(1),
  width: z.int().min(1),
  mean: z.array(z.number()),
  std: z.array(z.number()),
  augment: z.object({ pad: z.int().min(0), flip: z.boolean() }),
  /** How photos were resized and cropped; absent in older files. */
  view: z.object({ resize: z.tuple([z.int(), z.int()]), crop: z.tuple([z.int(), z.int()]) }).optional(),
  /** Checksum of the pixels. */
  sha256: z.string(),
  train: splitHeader,
  test: splitHeader,
  /** Checksum of all fields above, as JSON; absent in older files. */
  headerSha256: z.string().optional(),
});

/** Computes the checksum of a header without its own checksum. */
const sumOfHeader = (content: object): string => createHash('sha256').update(JSON.stringify(content)).digest('hex');

/**
 * Writes a data set as one file, atomically; encoded images are stored in the evaluation view. Reports how many images
 * are done.
 */
export async function writePacked(
  data: Dataset,
  file: string,
  onProgress: (done: number) => void = () => {},
): Promise<void> {
  const hash = createHash('sha256');
  let done = 0;
  try {
    await replaceFileAsync(file, async (descriptor) => {
      const write = (bytes: Uint8Array) => {
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
      };
      for (const split of [data.train, data.test]) {
        for await (const pixels of pixelsOf(split, data)) {
          hash.update(pixels);
          write(pixels);
          onProgress(++done);
        }
      }
      const { source, classes, channels, height, width, mean, std, augment } = data;
      const splitOf = ({ labels }: Split) => ({ count: labels.length, labels: [...labels] });
      const facts = { source, classes, channels, height, width, mean, std, augment };
      const whole = {
        version: 1,
        ...facts,
        view: evaluationViewOf(data),
        sha256: hash.digest('hex'),
        train: splitOf(data.train),
        test: splitOf(data.test),
      };
      const text = Buffer.from(JSON.stringify({ ...whole, headerSha256: sumOfHeader(whole) }));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      for (const part of [text, length, mark]) write(part);
    });
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
}

async function* pixelsOf(split: Split, { channels, height, width }: Dataset): AsyncGenerator<Uint8Array> {
  const size = channels * height * width;
  for (let sample = 0; sample < split.labels.length; sample++) {
    const image = split.rows?.[sample] ?? sample;
    if ('images' in split) yield split.images.subarray(image * size, (image + 1) * size);
    else if ('read' in split)
      yield planes(await decode(await split.read(image), split.nameOf(image), height), height * width);
    else throw new DataError('The data set is packed already.');
  }
}

/** Converts [H, W, 3] to [3, H, W]. */
function planes(pixels: Uint8Array, positions: number): Uint8Array {
  const result = new Uint8Array(pixels.length);
  for (let i = 0; i < positions; i++)
    for (let channel = 0; channel < 3; channel++) result[channel * positions + i] = pixels[3 * i + channel] as number;
  return result;
}

/**
 * Opens a file written by {@link writePacked}; `name` appears in errors. Throws DataError if it is not such a file, or
 * incomplete.
 */
export function openPacked(file: string, name = file): Dataset {
  if (!existsSync(file)) throw new DataError(`${name} does not exist.`);
  const { sha256: _sha256, version: _version, view, train, test, ...facts } = readHeader(file, name);
  const size = facts.channels * facts.height * facts.width;
  const splitOf = ({ count, labels }: z.output<typeof splitHeader>, offset: number): MappedSet => ({
    file,
    offset,
    count,
    labels: labelsOf(labels, facts.classes.length),
  });
  const splits = { train: splitOf(train, 0), test: splitOf(test, train.count * size) };
  return { ...facts, ...(view && { view }), source: `packed:${name}`, ...splits };
}

/** Whether a file ends like one written by {@link writePacked}. */
export function isPacked(file: string): boolean {
  const { size } = statSync(file);
  for (const end of size >= mark.length ? partsOf(file, size - mark.length) : []) return end.equals(mark);
  return false;
}

/** Compares the pixels with their checksum. Throws DataError if the file is damaged. */
export function verifyPacked(file: string): void {
  const { sha256, channels, height, width, train, test } = readHeader(file);
  const hash = createHash('sha256');
  for (const part of partsOf(file, 0, channels * height * width * (train.count + test.count))) hash.update(part);
  if (hash.digest('hex') !== sha256)
    throw new DataError(`${file} is damaged: its pixels are not those that were written. Pack the data again.`);
}

function readHeader(file: string, name = file): z.output<typeof header> {
  const descriptor = openFile(file);
  try {
    const { size } = fstatSync(descriptor);
    const read = (length: number, at: number) => {
      const bytes = Buffer.alloc(length);
      if (at < 0 || readSync(descriptor, bytes, 0, length, at) !== length) throw new DataError('it is too short');
      return bytes;
    };
    const end = read(4 + mark.length, size - 4 - mark.length);
    if (!end.subarray(4).equals(mark)) throw new DataError('its end is missing');
    const length = end.readUInt32LE(0);
    const start = size - 4 - mark.length - length;
    const content = parseStrict(read(length, start).toString('utf8'));
    const parsed = header.safeParse(content);
    if (!parsed.success) throw new DataError(`in its header, ${problemIn(header, content, parsed.error)}`);
    const found = parsed.data;
    const { headerSha256: sum, ...rest } = content as { headerSha256?: string };
    if (sum !== undefined && sum !== sumOfHeader(rest)) throw new DataError('its header is damaged');
    const { channels, height, width, train, test, classes } = found;
    if (channels * height * width * (train.count + test.count) !== start)
      throw new DataError('its pixels are not as many as its header says');
    for (const { count, labels } of [train, test])
      if (labels.length !== count || labels.some((label) => label >= classes.length))
        throw new DataError('its labels are wrong');
    return found;
  } catch (error) {
    throw new DataError(`${name} is not a file of srrl pack, or not whole: ${messageOf(error).split('\n')[0]}.`, {
      cause: error,
    });
  } finally {
    closeSync(descriptor);
  }
}
