/**
 * CIFAR in the binary or the Python format. A binary record has one or two label bytes and 3072 pixels: 1024 red, 1024
 * green, 1024 blue. For the Python format see cifar-python.ts.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { type ImageSet, numberedClasses } from '../dataset.js';
import { linesOf, readWhole, readXz } from '../files.js';
import { pickledNames, readPickled } from './cifar-python.js';

const pixels = 3 * 32 * 32;

export interface CifarForm {
  /** Number of label bytes before the pixels; the last one is used. */
  labelBytes: number;
  numClasses: number;
}

/** The file names of CIFAR-10 or CIFAR-100. */
export interface CifarLayout extends CifarForm {
  /** The kind as users write it, for messages. */
  kind: string;
  /** Training files of both formats, without the `.bin` of the binary one. */
  train: string[];
  test: string[];
  /** The text file of class names, one per line. */
  names: string;
  /** For the Python format: the file of class names, and the keys of names and labels. */
  python: { meta: string; names: string; labels: string };
  /** The folders that the archives unpack to. */
  folders: string[];
}

/** Opens the splits and class names below `path`, in whichever format is there. */
export async function openCifar(
  path: string,
  layout: CifarLayout,
): Promise<{ classes: string[]; train: ImageSet; test: ImageSet }> {
  const { kind, numClasses, train, test, names, python } = layout;
  if (!existsSync(path)) throw new DataError(`The folder ${path} of ${kind}:${path} does not exist.`);
  const { folder, pickled } = findForm(path, layout);
  const numbered = () => numberedClasses(numClasses);
  if (pickled)
    return {
      classes: pickledNames(folder, python.meta, python.names, numClasses) ?? numbered(),
      train: readPickled(folder, train, python.labels, numClasses),
      test: readPickled(folder, test, python.labels, numClasses),
    };
  return {
    classes: classNames(join(folder, names), numClasses) ?? numbered(),
    train: await readCifar(folder, train, layout),
    test: await readCifar(folder, test, layout),
  };
}

/** Detects the format by the first training file; a folder named `train` is not part of CIFAR. */
function findForm(path: string, { train, folders }: CifarLayout): { folder: string; pickled: boolean } {
  const name = train[0] as string;
  for (const folder of [path, ...folders.map((below) => join(path, below))]) {
    if (existsSync(join(folder, `${name}.bin`)) || packedParts(folder, name).length > 0)
      return { folder, pickled: false };
    const file = join(folder, name);
    if (existsSync(file) && statSync(file).isFile()) return { folder, pickled: true };
  }
  throw new DataError(
    `${join(path, name)}.bin is missing, and so are ${name}.bin.xz, ${name} in CIFAR's Python form, and a folder ${folders.join(' or ')}.`,
  );
}

/**
 * Reads the records of NAME.bin files in order; each may be compressed as NAME.bin.xz, whole or split into
 * NAME.bin.xz.part00, part01, ...
 */
async function readCifar(folder: string, names: string[], { labelBytes, numClasses }: CifarForm): Promise<ImageSet> {
  const recordBytes = labelBytes + pixels;
  const files: Buffer[] = [];
  // Sequential, so that a file that unpacks to too much is rejected before the others are read.
  for (const name of names) files.push(await readBinary(folder, name));
  for (const [i, bytes] of files.entries()) {
    const file = `${join(folder, names[i] as string)}.bin`;
    if (bytes.length === 0 || bytes.length % recordBytes !== 0)
      throw new DataError(
        `${file} has ${bytes.length} bytes, not a multiple of ${recordBytes}: it is truncated, or not a CIFAR-${numClasses} binary.`,
      );
    for (let label = labelBytes - 1; label < bytes.length; label += recordBytes)
      if ((bytes[label] as number) >= numClasses)
        throw new DataError(
          `${file} has a label above ${numClasses - 1}, in record ${Math.floor(label / recordBytes)}.`,
        );
  }
  const records = Buffer.concat(files);
  const count = records.length / recordBytes;
  const images = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const start = i * recordBytes;
    labels[i] = records[start + labelBytes - 1] as number;
    images.set(records.subarray(start + labelBytes, start + recordBytes), i * pixels);
  }
  return { images, labels };
}

async function readBinary(folder: string, name: string): Promise<Buffer> {
  const plain = join(folder, `${name}.bin`);
  if (existsSync(plain)) return readWhole(plain);
  const packed = packedParts(folder, name);
  if (packed.length === 0) throw new DataError(`${plain} is missing (nor is there ${name}.bin.xz).`);
  return readXz(packed.map((file) => join(folder, file)));
}

function packedParts(folder: string, name: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return readdirSync(folder)
    .filter((file) => file === `${name}.bin.xz` || file.startsWith(`${name}.bin.xz.part`))
    .sort();
}

/** Reads one class name per line; undefined if there is no file. */
function classNames(file: string, numClasses: number): string[] | undefined {
  if (!existsSync(file)) return undefined;
  const names = linesOf(file);
  if (names.length !== numClasses) throw new DataError(`${file} has ${names.length} lines, not ${numClasses}.`);
  return names;
}
