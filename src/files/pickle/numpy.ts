/** The names that a pickle of NumPy arrays may use, as written by Python 2 and 3 with NumPy 1 and 2. */
import { FileError } from '../../errors.js';
import { isSize } from '../bytes.js';
import { bytes, latin1Bytes, require } from './globals.js';
import { Callable, Stateful } from './values.js';

/** The type of an array's elements. */
export class NumpyType extends Stateful {
  /** `<` little-endian, `>` big-endian, `|` single byte. */
  order = '|';

  /** `code` is NumPy's type code, such as `u1` for uint8. */
  constructor(readonly code: string) {
    super();
  }

  get itemSize(): number {
    return Number(this.code.slice(1));
  }

  /** Sets (version, order, subtype, field names, fields, ...); plain numbers have neither subtype nor fields. */
  setState(state: unknown): void {
    require(Array.isArray(state) && state.length >= 5, 'the type of an array');
    const [version, order, ...record] = state as unknown[];
    require(isSize(version) && typeof order === 'string' && /^[<>|=]$/.test(order), 'the type of an array');
    require(record.slice(0, 3).every((part) => part === null), 'an array of records');
    this.order = order;
  }
}

/** An array: its elements' bytes, in their memory order. */
export class NumpyArray extends Stateful {
  type = new NumpyType('u1');
  shape: readonly number[] = [0];
  /** Whether the array is in Fortran order: the first index varies fastest. */
  fortran = false;
  bytes: Uint8Array = new Uint8Array(0);

  /** Sets (version, shape, type, Fortran order, bytes); old arrays have no version. */
  setState(state: unknown): void {
    require(Array.isArray(state) && (state.length === 4 || state.length === 5), 'an array');
    const [shape, type, fortran, elements] = state.slice(-4);
    this.fill(shape, type, fortran === true || fortran === 1, elements);
  }

  fill(shape: unknown, type: unknown, fortran: boolean, elements: unknown): void {
    require(Array.isArray(shape) && shape.length <= 64 && shape.every(isSize), 'the shape of an array');
    require(type instanceof NumpyType, 'the type of an array');
    const held = typeof elements === 'string' ? latin1Bytes(elements) : elements;
    require(held instanceof Uint8Array, 'the elements of an array');
    const needed = shape.reduce((product, size) => product * size, type.itemSize);
    if (held.length !== needed)
      throw new FileError(
        `an array of shape [${shape.join(', ')}] has ${held.length} bytes, and should have ${needed}.`,
      );
    Object.assign(this, { shape, type, fortran, bytes: held });
  }
}

function typeNamed([code]: readonly unknown[]): NumpyType {
  const text = code instanceof Uint8Array ? Buffer.from(code).toString('latin1') : code;
  require(typeof text === 'string', 'the type of an array');
  if (!/^(b1|[iu][1248]|f[248]|c8|c16)$/.test(text))
    throw new FileError(`an array of '${text.slice(0, 20)}' is not read; arrays of numbers are.`);
  return new NumpyType(text);
}

/** Creates an empty array, whose state follows. */
function reconstructed([kind]: readonly unknown[]): NumpyArray {
  require(kind instanceof Callable && kind.name === 'numpy.ndarray', 'an array of a class of its own');
  return new NumpyArray();
}

function fromBuffer([elements, type, shape, order]: readonly unknown[]): NumpyArray {
  require(order === 'C' || order === 'F', 'the order of an array');
  const array = new NumpyArray();
  array.fill(shape, type, order === 'F', elements);
  return array;
}

const callables: Record<string, Callable['call']> = {
  '_codecs.encode': bytes,
  'builtins.bytearray': bytes,
  'numpy.dtype': typeNamed,
  'numpy.ndarray': undefined,
  'numpy.core.multiarray._reconstruct': reconstructed,
  'numpy.core.numeric._frombuffer': fromBuffer,
};

/** Resolves a name in a pickle of arrays. As for torch.save's names, nothing is ever imported or run. */
export function numpyNamed(module: string, name: string): Callable {
  const full = `${module.replace(/^__builtin__$/, 'builtins').replace(/^numpy\._core\./, 'numpy.core.')}.${name}`;
  if (Object.hasOwn(callables, full)) return new Callable(full, callables[full]);
  throw new FileError(`it asks for ${module}.${name}; nothing but numbers, texts and NumPy arrays of numbers is read.`);
}
