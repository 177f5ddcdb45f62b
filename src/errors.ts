import { inspect } from 'node:util';
import { printable } from './printable.js';

/**
 * The errors of this package. Each message names what was wrong, what was expected and how to fix it, in one or two
 * lines; `code` is stable and can be tested. docs/errors.md has cause and fix of each.
 */
export class SrrlError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    // Messages name files, tensors and classes, whose names may come from strangers.
    super(printable(message), options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An option, flag or configuration key that is unknown, out of range, or does not go with another. */
export class ConfigError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CONFIG', message, options);
  }
}

/** A data set that is missing, truncated or not what it claims to be. */
export class DataError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DATA', message, options);
  }
}

/** A model or tensor file that cannot be read or does not hold what was asked for. */
export class FileError extends SrrlError {
  constructor(message: string, options?: ErrorOptions, code = 'ERR_FILE') {
    super(code, message, options);
  }
}

/** A file whose content is not what was written: its checksum differs. */
export class DamagedError extends FileError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_DAMAGED');
  }
}

/**
 * A teacher that cannot be used: no linear classifier, several of them, other classes or image size than the data's.
 */
export class TeacherError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TEACHER', message, options);
  }
}

/** A student that cannot be exported, or whose exported file computes something else. Nothing is written then. */
export class ExportError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_EXPORT', message, options);
  }
}

/** libtorch or the native addon is absent, of another version, or cannot be loaded. */
export class LibtorchError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_LIBTORCH', message, options);
  }
}

/** A tensor operation that libtorch refused; its own words. */
export class NativeError extends SrrlError {
  constructor(message: string, options?: ErrorOptions, code = 'ERR_TORCH') {
    super(code, message, options);
  }
}

/** Sizes that do not fit together. */
export class ShapeError extends NativeError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_SHAPE');
  }
}

/** A value of the wrong kind: a string for a tensor, a dtype that an operator does not take. */
export class ArgumentError extends NativeError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_ARGUMENT');
  }
}

/** An index outside the tensor. */
export class IndexError extends NativeError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_INDEX');
  }
}

/** A tensor that was disposed, or whose scope has ended. */
export class DisposedError extends NativeError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_DISPOSED');
  }
}

/** The device has no memory left. */
export class OutOfMemoryError extends NativeError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_MEMORY');
  }
}

/** A device whose driver has failed: nothing can be computed on it any more in this process. */
export class DeviceLostError extends SrrlError {
  constructor(
    readonly device: string,
    reason: string,
    /** The newest checkpoint of the run, where it has one. */
    readonly checkpoint?: string,
    options?: ErrorOptions,
  ) {
    const next =
      checkpoint === undefined
        ? 'The run has no checkpoint yet: start it again in a new process.'
        : `The newest checkpoint is ${checkpoint}: resume the run with --resume in a new process.`;
    super('ERR_DEVICE_LOST', `The device ${device} failed: ${reason}\n${next}`, options);
  }
}

/** A data source that does not answer. */
export class StallError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_STALLED', message, options);
  }
}

/** A loss or gradient that is NaN or Inf. */
export class DivergenceError extends SrrlError {
  constructor(
    /** Counted from 1. */
    readonly step: number,
    /** What was not finite: a term of the loss, a gradient, a weight or a statistic. */
    readonly term: string,
    /** The checkpoint of the state before the step, where one was written. */
    readonly checkpoint?: string,
  ) {
    const where = checkpoint === undefined ? '' : `\nThe state before the step is in ${checkpoint}.`;
    super(
      'ERR_DIVERGED',
      `In step ${step}, ${term} is NaN or Inf. Lower --lr, or the weights of the terms; --on-non-finite skip leaves such steps out.${where}`,
    );
  }
}

/** Processes that cannot form a group, or a rank of it that failed, does not answer, or computes something else. */
export class DistributedError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DISTRIBUTED', message, options);
  }
}

/** A benchmark that cannot be run, whose two sides do not do the same work, or that has become slower than it was. */
export class BenchError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_BENCH', message, options);
  }
}

/** A thread of this package, in which a run or a classifier works, ended before its work did. */
export class ThreadError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_THREAD', message, options);
  }
}

/** A run that was killed and resumed ended with other weights than the uninterrupted one (`srrl verify-resume`). */
export class ResumeError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_RESUME', message, options);
  }
}

/** The user stopped the program, as by Ctrl-C. */
export class InterruptedError extends SrrlError {
  constructor() {
    super('ERR_INTERRUPTED', 'interrupted');
  }
}

/** What anything that was thrown has to say, in one line's worth of text. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'object' && error !== null ? inspect(error, { depth: 0 }) : String(error);
}
