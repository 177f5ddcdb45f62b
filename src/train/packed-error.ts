/** Sends errors between threads: structured cloning keeps neither the class of an error nor its own fields. */
import * as errors from '../errors.js';

/** An error as plain data. */
export interface PackedError {
  name: string;
  message: string;
  stack?: string;
  /** The code and all other own fields that can be cloned. */
  fields: Record<string, unknown>;
  cause?: PackedError;
}

/** Converts an error to plain data. `depth` limits a chain of causes, which may be circular. */
export function packed(error: unknown, depth = 8): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), fields: {} };
  const { name, message, stack, cause } = error;
  const fields = Object.entries(error).filter(
    ([key, value]) => key !== 'cause' && key !== 'name' && isCloneable(value),
  );
  return {
    name,
    message,
    fields: Object.fromEntries(fields),
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && depth > 0 && { cause: packed(cause, depth - 1) }),
  };
}

function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

const builtIn = { TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError };

/** Restores an error in its class, if this package or JavaScript has it; else returns an Error with its name. */
export function revived({ name, message, stack, fields, cause }: PackedError): Error {
  const known = { ...builtIn, ...errors } as unknown as Record<string, { prototype: Error } | undefined>;
  const prototype = Object.hasOwn(known, name) ? known[name]?.prototype : undefined;
  const error = new Error(message, cause && { cause: revived(cause) });
  if (prototype instanceof Error || prototype === Error.prototype) Object.setPrototypeOf(error, prototype);
  Object.defineProperties(error, {
    name: { value: name, configurable: true, writable: true },
    stack: { value: stack ?? `${name}: ${message}`, configurable: true, writable: true },
  });
  return Object.assign(error, fields);
}
