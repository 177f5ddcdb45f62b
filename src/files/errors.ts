import { DamagedError, FileError, messageOf } from '../errors.js';

function failure(file: string, verb: string, error: unknown): FileError {
  const Kind = error instanceof DamagedError ? DamagedError : FileError;
  return new Kind(`${file} cannot be ${verb}: ${messageOf(error)}`, { cause: error });
}

/** Runs `body`; converts any error to a FileError that names the file. */
export function reading<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw failure(file, 'read', error);
  }
}

/** Like {@link reading}, for an asynchronous body. */
export async function readingAsync<T>(file: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw failure(file, 'read', error);
  }
}

/** Runs `body`; converts any error to a FileError that names the file. */
export function writing<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw failure(file, 'written', error);
  }
}

/** Runs `body`; adds the name of the tensor to any error. */
export function naming<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new FileError(`tensor '${name}': ${messageOf(error)}`, { cause: error });
  }
}
