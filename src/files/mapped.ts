/** Files that are mapped into memory. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { FileError } from '../errors.js';
import { native } from '../native.js';
import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { byteLength } from './bytes.js';
import { Input } from './input.js';

type MappedType = 'uint8' | 'int32' | 'float16' | 'float32';

/** Options of a mapping. */
interface Mapping {
  dtype: MappedType;
  /** Number of elements, from the beginning of the file. */
  length: number;
  /** Whether writes to the tensor go to the file, where other processes may write too. Default: read-only. */
  shared?: boolean;
}

/**
 * A tensor mapped from a file. Call {@link check} before and after each use: a part that was cut off the file reads as
 * zeros instead of ending the process with SIGBUS. Throws FileError if the file is too short or cannot be opened.
 */
export class MappedFile {
  readonly tensor: Tensor;
  readonly #descriptor: number;
  readonly #bytes: number;
  readonly #written: bigint | undefined;
  readonly #watched: number;

  constructor(
    readonly file: string,
    { dtype, length, shared = false }: Mapping,
  ) {
    this.#bytes = byteLength(dtype, [length]);
    this.#descriptor = openSync(file, 'r');
    try {
      const { size, mtimeNs } = fstatSync(this.#descriptor, { bigint: true });
      // Mapping would fill the missing part with zeros.
      if (size < this.#bytes) throw new FileError(`${file} is truncated: it has ${size} bytes, not ${this.#bytes}.`);
      this.#written = shared ? undefined : mtimeNs;
      this.tensor = scope(() => keep(torch.fromFile(file, shared, length, { dtype })));
      this.#watched = native().watchMapping(this.tensor.handle);
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Returns the result of `use`, with a {@link check} before and after it. */
  read<T>(use: () => T): T {
    this.check();
    const result = use();
    this.check();
    return result;
  }

  /** Throws FileError if the file was truncated, or modified by another program, since it was mapped. */
  check(): void {
    const { size, mtimeNs } = fstatSync(this.#descriptor, { bigint: true });
    const what =
      size < this.#bytes
        ? `became shorter: it has ${size} bytes, not ${this.#bytes}`
        : this.#watched >= 0 && native().isTorn(this.#watched)
          ? 'became shorter'
          : this.#written !== undefined && mtimeNs !== this.#written
            ? 'was written to'
            : undefined;
    if (what !== undefined)
      throw new FileError(
        `${this.file} ${what} while it was in use. Write a new file and rename it into its place instead; a run resumes with --resume.`,
      );
  }

  dispose(): void {
    if (this.#watched >= 0) native().unwatchMapping(this.#watched);
    this.tensor.dispose();
    closeSync(this.#descriptor);
  }
}

/** Yields all bytes of a file in parts. */
export function* partsOf(file: string, from = 0, to?: number): Generator<Buffer> {
  using input = new Input(file);
  yield* input.parts(from, to);
}
