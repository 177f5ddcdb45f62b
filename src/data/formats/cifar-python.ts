/**
 * CIFAR's Python format: pickled dicts with a NumPy array, 3072 bytes per image as in the binary format, and lists of
 * labels and names.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, messageOf } from '../../errors.js';
import { Dict, loadNumpyPickle, NumpyArray } from '../../files/numpy-pickle.js';
import type { ImageSet } from '../dataset.js';

const pixels = 3 * 32 * 32;

/** Reads a dict with text keys, or with bytes keys if Python 3 rewrote a file that it had read that way. */
function readDict(file: string): Map<string, unknown> {
  if (!existsSync(file)) throw new DataError(`${file} is missing.`);
  let value: unknown;
  try {
    value = loadNumpyPickle(file);
  } catch (error) {
    throw new DataError(`${messageOf(error)} Unpack CIFAR's archive again.`, { cause: error });
  }
  if (!(value instanceof Dict)) throw new DataError(`${file} holds no dict, and is not a file of CIFAR's python form.`);
  return new Map([...value.items].map(([key, item]) => [textOf(key) ?? '', item]));
}

function textOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return typeof value === 'string' ? value : undefined;
}

function rowsOf(file: string, data: unknown): Uint8Array {
  if (
    !(data instanceof NumpyArray) ||
    data.type.code !== 'u1' ||
    data.shape.length !== 2 ||
    data.shape[1] !== pixels ||
    data.bytes.length === 0
  )
    throw new DataError(`${file}: 'data' is not a uint8 array of ${pixels} columns, as CIFAR's python form has it.`);
  if (!data.fortran) return data.bytes;
  const count = data.shape[0] as number;
  const rows = new Uint8Array(data.bytes.length);
  for (let i = 0; i < rows.length; i++) rows[(i % count) * pixels + Math.floor(i / count)] = data.bytes[i] as number;
  return rows;
}

function labelsIn(file: string, key: string, labels: unknown, count: number, numClasses: number): readonly number[] {
  if (!Array.isArray(labels)) throw new DataError(`${file} has no list '${key}', as CIFAR's python form has it.`);
  if (labels.length !== count) throw new DataError(`${file} has ${count} images, but ${labels.length} labels.`);
  const wrong = labels.find((label) => !(Number.isInteger(label) && label >= 0 && label < numClasses));
  if (wrong !== undefined)
    throw new DataError(`${file} has a label that is not a whole number from 0 to ${numClasses - 1}.`);
  return labels;
}

/** Reads the images of several pickled files in order; their class numbers are in the list under `key`. */
export function readPickled(folder: string, names: string[], key: string, numClasses: number): ImageSet {
  const parts = names.map((name) => {
    const file = join(folder, name);
    const dict = readDict(file);
    const images = rowsOf(file, dict.get('data'));
    return { images, labels: labelsIn(file, key, dict.get(key), images.length / pixels, numClasses) };
  });
  const images =
    parts.length === 1 ? (parts[0]?.images as Uint8Array) : Buffer.concat(parts.map((part) => part.images));
  return { images, labels: Uint8Array.from(parts.flatMap(({ labels }) => labels)) };
}

/** Reads the list `key` from the file of class names; undefined if there is no file. */
export function pickledNames(folder: string, name: string, key: string, numClasses: number): string[] | undefined {
  const file = join(folder, name);
  if (!existsSync(file)) return undefined;
  const names = readDict(file).get(key);
  const texts = Array.isArray(names) ? names.map(textOf) : [];
  if (texts.length !== numClasses || texts.includes(undefined))
    throw new DataError(`${file} has no list '${key}' of ${numClasses} names.`);
  return texts as string[];
}
