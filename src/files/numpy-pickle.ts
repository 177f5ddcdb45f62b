/** Reads pickle files of NumPy arrays, a common format of data sets. */
import { reading } from './errors.js';
import { Input } from './input.js';
import { unpickle } from './pickle/machine.js';
import { numpyNamed } from './pickle/numpy.js';
import { PickleSource } from './pickle/source.js';

export { NumpyArray } from './pickle/numpy.js';
export { Dict } from './pickle/values.js';

/**
 * Reads a file of pickle.dump, protocol 2 or later: data only, no code is ever run. Dicts become {@link Dict}, lists
 * and tuples arrays, a Python 2 str a Latin-1 text, and arrays {@link NumpyArray}. Throws FileError for anything else,
 * or if the file is damaged.
 */
export function loadNumpyPickle(file: string): unknown {
  return reading(file, () => {
    const input = new Input(file);
    try {
      return unpickle(new PickleSource((position, length) => input.take(position, length), input.size), numpyNamed);
    } finally {
      input.close();
    }
  });
}
