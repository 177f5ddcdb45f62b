/**
 * A teacher's penultimate features in files that are mapped into memory: one vector h_T a view of an image. They are
 * filled as they are first needed; later runs with the same teacher, data and views read them, and run no teacher.
 *
 * A cache is a folder: `key.json` says what it belongs to, `features.bin` is [views, images, C] in row-major order,
 * `sums.bin` has the CRC-32 of each vector, and 0 where it is missing. A vector that differs from its checksum counts
 * as missing.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DataError, FileError, messageOf, OutOfMemoryError } from '../errors.js';
import { problemIn } from '../expectation.js';
import { MappedFile } from '../files/mapped.js';
import type { Views } from '../flow.js';
import { z } from '../options.js';
import { freeMemory, fromArray, keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { checkedRows, type Damage, dropDamaged, missing, sumsOf } from './cache-sums.js';

/** Everything that decides the vectors; equal keys share one cache. */
export interface CacheKey {
  /** {@link TeacherBase.fingerprint}. */
  teacher: string;
  /** Of the images, see fingerprintOf(). */
  data: string;
  seed: number;
  /** Views of each image. */
  views: number;
  images: number;
  /** C_T */
  width: number;
  /** How the images are normalized and augmented, and in which precision the teacher runs. */
  seen: Record<string, unknown>;
  dtype: 'float16' | 'float32';
}

const version = 2;
/** The share of a device's free memory that a cache may use; the rest is for the networks. */
const shareOfMemory = 1 / 4;
/** Bytes assumed free if a device does not report its free memory. */
const unknownMemory = 4 * 2 ** 30;
const bytesPerNumber = { float16: 2, float32: 4, int32: 4 } as const;

export class TargetCache {
  private constructor(
    readonly folder: string,
    private readonly key: CacheKey,
    private readonly features: MappedFile,
    private readonly sums: MappedFile,
  ) {}

  /** Number of damaged vectors found but not yet reported. */
  #damaged = 0;

  /**
   * Opens the cache of a key below `directory`, or creates an empty one of full size. Throws FileError if there is no
   * space, or if an existing cache is incomplete or has another key.
   */
  static open(directory: string, key: CacheKey): TargetCache {
    const text = JSON.stringify({ version, ...key }, null, 2);
    const folder = join(directory, createHash('sha256').update(text).digest('hex').slice(0, 16));
    if (!existsSync(join(folder, 'key.json'))) create(folder, key, text);
    else if (readFileSync(join(folder, 'key.json'), 'utf8') !== text)
      throw new FileError(
        `${join(folder, 'key.json')} is not what it was made with.\nDelete ${folder}; it is filled again.`,
      );
    const count = key.views * key.images;
    const features = mapped(folder, 'features.bin', count * key.width, key.dtype);
    try {
      return new TargetCache(folder, key, features, mapped(folder, 'sums.bin', count, 'int32'));
    } catch (error) {
      features.dispose();
      throw error;
    }
  }

  /** The filled share, 0 to 1. */
  get share(): number {
    const { views, images } = this.key;
    return scope(() => Number(this.sums.tensor.ne(missing).sum().item())) / (views * images);
  }

  /** Returns h_T, float32 [N, C], or undefined if one of these views is missing or damaged. */
  read(views: Views): Tensor | undefined {
    this.check();
    const rows = this.rowsOf(views);
    const values = this.rows.indexSelect(0, rows);
    const { absent, damaged } = checkedRows(values, this.sums.tensor.indexSelect(0, rows));
    this.check();
    this.#damaged += damaged;
    return absent + damaged > 0 ? undefined : values.to('float32');
  }

  /** Returns notices about damage found since the last call. */
  news(): string[] {
    const count = this.#damaged;
    this.#damaged = 0;
    return count === 0 ? [] : [`damaged vectors in ${this.folder}: ${count}; the teacher computes them again`];
  }

  /** Writes h_T, [N, C]. Throws DataError if a value overflows the cache's dtype or is NaN. */
  write(views: Views, h: Tensor): void {
    const values = h.to({ dtype: this.key.dtype, device: 'cpu' });
    if (!torch.isfinite(values).all().item()) {
      throw new DataError(
        `The teacher's features do not fit into ${this.key.dtype} (the largest is ${Number(h.abs().max().item())}).\nUse --cache-dtype float32.`,
      );
    }
    this.check();
    const rows = this.rowsOf(views);
    this.rows.indexCopy_(0, rows, values);
    this.sums.tensor.indexCopy_(0, rows, sumsOf(values));
    this.check();
  }

  /** Returns whether the cache has all views of these images. */
  covers(images: readonly number[]): boolean {
    const { views, images: count } = this.key;
    return scope(() => {
      const rows = fromArray(BigInt64Array.from(images, BigInt));
      const sums = this.sums.tensor.view([views, count]).indexSelect(1, rows);
      return Boolean(sums.ne(missing).all().item());
    });
  }

  /** Marks damaged vectors as missing. Returns their number. */
  dropDamaged(): number {
    this.check();
    const damaged = scope(() => dropDamaged(this.rows, this.sums.tensor));
    this.check();
    this.#damaged += damaged;
    return damaged;
  }

  /**
   * Copies the whole cache to a device. Returns undefined if it needs more than a quarter of the free memory, or if
   * memory runs out.
   */
  onDevice(device: string): TargetsOnDevice | undefined {
    const bytes = this.features.tensor.numel() * this.features.tensor.elementSize();
    if (bytes > (freeMemory(device) ?? unknownMemory) * shareOfMemory) return undefined;
    try {
      const features = scope(() => keep(this.rows.to({ device })));
      return new TargetsOnDevice(features, this.key.images);
    } catch (error) {
      if (error instanceof OutOfMemoryError) return undefined;
      throw error;
    }
  }

  private rowsOf({ number, images }: Views): Tensor {
    const { views, images: count } = this.key;
    const outside = images.find((image) => image >= count);
    if (number >= views || outside !== undefined)
      throw new DataError(`The cache ${this.folder} has no place for view ${number} of image ${outside ?? images[0]}.`);
    return fromArray(BigInt64Array.from(images, (image) => BigInt(number * count + image)));
  }

  /** [views x images, C] */
  private get rows(): Tensor {
    return this.features.tensor.view([-1, this.key.width]);
  }

  private check(): void {
    this.features.check();
    this.sums.check();
  }

  dispose(): void {
    this.features.dispose();
    this.sums.dispose();
  }
}

/** Compares a cache with its checksums. Throws FileError where the folder holds none, or one that is not whole. */
export function verifyCache(folder: string): Damage {
  const { views, images, width, dtype } = readKey(folder);
  const features = mapped(folder, 'features.bin', views * images * width, dtype);
  try {
    const sums = mapped(folder, 'sums.bin', views * images, 'int32');
    try {
      return scope(() => checkedRows(features.tensor.view([-1, width]), sums.tensor));
    } finally {
      sums.dispose();
    }
  } finally {
    features.dispose();
  }
}

/** Whether a folder is a cache, or looks like one. */
export const isCache = (folder: string): boolean => existsSync(join(folder, 'key.json'));

const keySchema = z.looseObject({
  version: z.literal(version),
  views: z.int().min(1),
  images: z.int().min(1),
  width: z.int().min(1),
  dtype: z.enum(['float16', 'float32']),
});

function readKey(folder: string): z.output<typeof keySchema> {
  const file = join(folder, 'key.json');
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new FileError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
  const { data, error } = keySchema.safeParse(content);
  if (data) return data;
  throw new FileError(`${file}: ${problemIn(keySchema, content, error)}.\nDelete ${folder}; it is filled again.`);
}

/** A cache in a device's memory, read without the host. */
export class TargetsOnDevice {
  constructor(
    private readonly features: Tensor,
    private readonly images: number,
  ) {}

  /** float32 [N, C], by operators of the device alone. */
  read({ numbers, images }: Required<Views>['onDevice']): Tensor {
    return this.features.indexSelect(0, numbers.mul(this.images).add(images)).to('float32');
  }

  dispose(): void {
    this.features.dispose();
  }
}

function mapped(folder: string, name: string, length: number, dtype: 'float16' | 'float32' | 'int32'): MappedFile {
  const file = join(folder, name);
  const [size, expected] = [existsSync(file) ? statSync(file).size : 0, length * bytesPerNumber[dtype]];
  if (size !== expected)
    throw new FileError(`${file} has ${size} bytes, not ${expected}.\nDelete ${folder}; it is filled again.`);
  return new MappedFile(file, { dtype, length, shared: true });
}

/**
 * Writes both files in full: a sparse file would end the process if the disk is full later. Writes them to a temporary
 * folder, because another process may create or use the same cache now; the first one to finish renames its folder.
 */
function create(folder: string, { views, images, width, dtype }: CacheKey, text: string): void {
  const count = views * images;
  const sizes = { 'features.bin': count * width * bytesPerNumber[dtype], 'sums.bin': count * bytesPerNumber.int32 };
  const draft = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  try {
    mkdirSync(draft, { recursive: true });
    removeAbandoned(dirname(folder));
    const { bavail, bsize } = statfsSync(draft);
    const needed = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    if (needed > bavail * bsize)
      throw new Error(`${mebibytes(needed)} are needed, ${mebibytes(bavail * bsize)} are free`);
    for (const [name, size] of Object.entries(sizes)) writeZeros(join(draft, name), size);
    writeFileSync(join(draft, 'key.json'), text);
    // A folder that is there by now is another process's cache; one without a key is none.
    if (existsSync(folder) && !existsSync(join(folder, 'key.json'))) renameSync(folder, `${draft}.old`);
    renameSync(draft, folder);
  } catch (error) {
    if (existsSync(join(folder, 'key.json'))) return;
    throw new FileError(
      `The cache of the teacher's features in ${folder} cannot be made: ${messageOf(error)}.\nUse fewer --views, or another --teacher-cache.`,
      { cause: error },
    );
  } finally {
    for (const left of [draft, `${draft}.old`]) rmSync(left, { recursive: true, force: true });
  }
}

/** Removes what processes that were killed left half made: nothing was written to it for an hour. */
function removeAbandoned(directory: string): void {
  for (const name of readdirSync(directory)) {
    const draft = join(directory, name);
    const written =
      statSync(join(draft, 'features.bin'), { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (/^[0-9a-f]{16}\..+\.part$/.test(name) && Date.now() - written > 3_600_000)
      rmSync(draft, { recursive: true, force: true });
  }
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

function writeZeros(file: string, size: number): void {
  const zeros = new Uint8Array(1 << 20);
  const descriptor = openSync(file, 'w');
  try {
    for (let written = 0; written < size; )
      written += writeSync(descriptor, zeros, 0, Math.min(zeros.length, size - written));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
