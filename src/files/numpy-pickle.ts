/** Files of Python's pickle that hold NumPy arrays, as data sets come in them. */
import { reading } from './errors.js';
import { Input } from './input.js';
import { unpickle } from './pickle/machine.js';
import { numpyNamed } from './pickle/numpy.js';
import { PickleSource } from './pickle/source.js';

export { NumpyArray } from './pickle/numpy.js';
export { Dict } from './pickle/values.js';

/**
 * What pickle.dump wrote, by protocol 2 or later: data only, no code is ever run. Dicts are {@link Dict}, lists and
 * tuples arrays, a str of Python 2 a text of Latin-1, arrays {@link NumpyArray}. Throws FileError for anything else, or
 * a file that is damaged.
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
