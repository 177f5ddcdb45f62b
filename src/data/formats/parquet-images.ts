/** Reads images and class numbers from columns of parquet files. */
import type { SchemaTree } from 'hyparquet';
import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import { type EncodedSet, mostClasses } from '../dataset.js';
import type { Block, ParquetFile } from './parquet.js';

/** A column, and the path of the part that holds the values. */
export interface Column {
  name: string;
  leaf: string;
}

/** Uncompressed bytes that are cached in addition to the rows being read. */
const cacheBytes = 2 ** 28;

function columnNamed(file: ParquetFile, names: readonly string[], option: string): SchemaTree {
  const found = names.flatMap((name) => file.columns.find(({ element }) => element.name === name) ?? [])[0];
  if (found) return found;
  const others = file.columns.map(({ element }) => element.name).join(', ');
  throw new DataError(
    `${file.path} has no column ${names.join(' or ')}; it has ${others}. Choose one by ?${option}=COLUMN.`,
  );
}

const holdsBytes = ({ children, element }: SchemaTree): boolean =>
  children.length === 0 &&
  element.type === 'BYTE_ARRAY' &&
  element.repetition_type !== 'REPEATED' &&
  element.converted_type === undefined &&
  element.logical_type === undefined;

/**
 * Finds the first of the named columns that exists: bytes, or a struct with `bytes` as Hugging Face writes. Throws
 * DataError if it holds anything else.
 */
export function imageColumn(file: ParquetFile, names: readonly string[]): Column {
  const tree = columnNamed(file, names, 'image');
  const { name, repetition_type: repetition } = tree.element;
  const bytes = tree.children.find(({ element }) => element.name === 'bytes') ?? tree;
  if (holdsBytes(bytes) && repetition !== 'REPEATED') return { name, leaf: bytes.path.join('.') };
  throw new DataError(
    `${file.path}: column ${name} holds no encoded images; it must be binary, or a struct with binary 'bytes'. Choose another by ?image=COLUMN.`,
  );
}

/** Finds the first of the named columns that exists and checks that it holds integers. */
export function labelColumn(file: ParquetFile, names: readonly string[]): Column {
  const { element, children, path } = columnNamed(file, names, 'label');
  const whole = /^INT(32|64)$/.test(element.type ?? '') && !/DECIMAL|DATE|TIME/.test(element.converted_type ?? '');
  if (whole && children.length === 0 && element.repetition_type !== 'REPEATED')
    return { name: element.name, leaf: path.join('.') };
  throw new DataError(
    `${file.path}: column ${element.name} holds no class numbers; it must be of integers. Choose another by ?label=COLUMN.`,
  );
}

const huggingFace = z.object({
  info: z.object({ features: z.record(z.string(), z.object({ names: z.array(z.string()).optional() }).catch({})) }),
});

/** Reads the class names that Hugging Face's `datasets` wrote into the metadata. */
export function classNamesIn(file: ParquetFile, label: string): string[] | undefined {
  try {
    const { features } = huggingFace.parse(JSON.parse(file.note('huggingface') ?? '')).info;
    return features[label]?.names;
  } catch {
    // Another program wrote this metadata.
    return undefined;
  }
}

/** Reads the class number of every row. Throws DataError naming the first invalid one. */
export async function labelsIn(file: ParquetFile, { name, leaf }: Column): Promise<number[]> {
  const values = await file.column(name, leaf);
  return values.map((value, row) => {
    const label = Number(value ?? Number.NaN);
    if (Number.isInteger(label) && label >= 0 && label < mostClasses) return label;
    throw new DataError(`Row ${row} of ${file.path} has no class number in ${name}, but ${value}.`);
  });
}

/** Caches recently read blocks; concurrent reads of the same rows share one read. */
class BlockCache {
  readonly #held = new Map<Block, Promise<unknown[]>>();
  #bytes = 0;

  get(block: Block, read: () => Promise<unknown[]>): Promise<unknown[]> {
    const known = this.#held.get(block);
    const rows = known ?? read();
    this.#held.delete(block);
    this.#held.set(block, rows);
    if (known) return known;
    this.#bytes += block.bytes;
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= cacheBytes || oldest === block) break;
      this.#drop(oldest);
    }
    rows.catch(() => this.#drop(block));
    return rows;
  }

  #drop(block: Block): void {
    if (this.#held.delete(block)) this.#bytes -= block.bytes;
  }
}

/** Returns the images of several files in order, reading one block of rows at a time. */
export function encodedImages(
  files: readonly ParquetFile[],
  columns: readonly Column[],
  labels: EncodedSet['labels'],
): EncodedSet {
  const cache = new BlockCache();
  let before = 0;
  const places = files.map((file, i) => {
    const start = before;
    before += file.rows;
    return { file, start, end: before, column: columns[i] as Column };
  });
  const placeOf = (image: number) => {
    const { file, start, column } = places.find(({ end }) => image < end) as (typeof places)[number];
    return { file, column, row: image - start };
  };
  const nameOf = (image: number) => {
    const { file, row } = placeOf(image);
    return `Row ${row} of ${file.path}`;
  };
  return {
    labels,
    nameOf,
    async read(image) {
      const { file, column, row } = placeOf(image);
      const block = await file.blockOf(row, column.leaf);
      const rows = await cache.get(block, () => file.read(column.name, block));
      const value = rows[row - block.start];
      const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
      if (bytes instanceof Uint8Array) return bytes;
      throw new DataError(`${nameOf(image)} has no image in ${column.name}. Embed the images, or remove the row.`);
    },
  };
}
