import { inspect } from 'node:util';
import { printable } from './printable.js';

/**
 * The errors of this package. Each message names what was wrong, what was expected and how to fix it, in one or two
 * lines; `code` is stable and can be tested. docs/errors.md lists the cause and fix of each.
 */
export class SrrlError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    // Messages contain names of files, tensors and classes, which may come from untrusted files.
    super(printable(message), options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An option, flag or configuration key that is unknown, out of range, or conflicts with another. */
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

/** A model or tensor file that cannot be read or lacks the requested content. */
export class FileError extends SrrlError {
  constructor(message: string, options?: ErrorOptions, code = 'ERR_FILE') {
    super(code, message, options);
  }
}

/** A damaged file: its content does not match its checksum. */
export class DamagedError extends FileError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_DAMAGED');
  }
}

/** A teacher that cannot be used: no or several linear classifiers, or other classes or image size than the data. */
export class TeacherError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TEACHER', message, options);
  }
}

/** A student that cannot be exported, or whose exported file computes different outputs. No file is written then. */
export class ExportError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_EXPORT', message, options);
  }
}

/** libtorch or the native addon is missing, has the wrong version, or cannot be loaded. */
export class LibtorchError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_LIBTORCH', message, options);
  }
}

/** A tensor operation that libtorch refused, with libtorch's own message. */
export class NativeError extends SrrlError {
  constructor(message: string, options?: ErrorOptions, code = 'ERR_TORCH') {
    super(code, message, options);
  }
}

/** Incompatible shapes. */
export class ShapeError extends NativeError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'ERR_SHAPE');
  }
}

/** A value of the wrong kind: a string instead of a tensor, or a dtype that an operator does not accept. */
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

/** A device whose driver has failed: this process can no longer compute on it. */
export class DeviceLostError extends SrrlError {
  constructor(
    readonly device: string,
    reason: string,
    /** The newest checkpoint of the run, if it has one. */
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
    /** What was NaN or Inf: a term of the loss, a gradient, a weight or a statistic. */
    readonly term: string,
    /** The checkpoint of the state before the step, if one was written. */
    readonly checkpoint?: string,
  ) {
    const where = checkpoint === undefined ? '' : `\nThe state before the step is in ${checkpoint}.`;
    super(
      'ERR_DIVERGED',
      `In step ${step}, ${term} is NaN or Inf. Lower --lr, or the weights of the terms; --on-non-finite skip leaves such steps out.${where}`,
    );
  }
}

/** Processes that cannot form a group, or a rank that failed, does not answer, or computes different results. */
export class DistributedError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DISTRIBUTED', message, options);
  }
}

/** A benchmark that cannot be run, whose two sides do not do the same work, or that became slower. */
export class BenchError extends SrrlError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_BENCH', message, options);
  }
}

/** A thread of a run or a classifier ended before its work was done. */
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

/** The user stopped the program, for example with Ctrl-C. */
export class InterruptedError extends SrrlError {
  constructor() {
    super('ERR_INTERRUPTED', 'interrupted');
  }
}

/** Returns the message of any thrown value. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'object' && error !== null ? inspect(error, { depth: 0 }) : String(error);
}
