import { DamagedError, FileError, messageOf } from '../errors.js';

function failure(file: string, verb: string, error: unknown): FileError {
  const Kind = error instanceof DamagedError ? DamagedError : FileError;
  return new Kind(`${file} cannot be ${verb}: ${messageOf(error)}`, { cause: error });
}

/** Runs `body`; whatever goes wrong in it is a FileError that names the file. */
export function reading<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw failure(file, 'read', error);
  }
}

/** As {@link reading}, for a body that waits. */
export async function readingAsync<T>(file: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw failure(file, 'read', error);
  }
}

/** Runs `body`; whatever goes wrong in it is a FileError that names the file. */
export function writing<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw failure(file, 'written', error);
  }
}

/** Runs `body`; whatever goes wrong in it names the tensor that it is about. */
export function naming<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new FileError(`tensor '${name}': ${messageOf(error)}`, { cause: error });
  }
}
