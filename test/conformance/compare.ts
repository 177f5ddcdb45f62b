/** Is what came out what PyTorch gave? */
import { Complex, Float, Tensor } from '../../src/torch.js';
import { decode, decodeTensor } from './decode.js';
import type { Encoded, EncodedTensor } from './format.js';

/**
 * Largest difference allowed, relative to the largest finite element of what is expected. Other dtypes must be equal.
 */
export const tolerances: Record<string, number> = {
  float64: 1e-9,
  complex128: 1e-9,
  float32: 1e-5,
  complex64: 1e-5,
  float16: 2e-3,
  bfloat16: 2e-2,
};

/** The first difference in words; undefined where there is none. `where` names what is compared. */
export function difference(where: string, expected: Encoded, actual: unknown): string | undefined {
  if (expected === null) return actual === null || actual === undefined ? undefined : `${where}: expected nothing`;
  if ('tensor' in expected) {
    return actual instanceof Tensor ? tensorDifference(where, expected.tensor, actual) : `${where}: expected a tensor`;
  }
  if ('list' in expected) {
    if (!Array.isArray(actual) || actual.length !== expected.list.length) {
      return `${where}: expected a list of ${expected.list.length}`;
    }
    for (const [i, item] of expected.list.entries()) {
      const found = difference(`${where}[${i}]`, item, actual[i]);
      if (found) return found;
    }
    return undefined;
  }
  const wanted = plain(decode(expected));
  const got = plain(actual);
  const same = typeof wanted === 'number' && typeof got === 'number' ? close(wanted, got, 1e-9) : equal(wanted, got);
  return same ? undefined : `${where}: expected ${String(wanted)}, got ${String(got)}`;
}

function plain(value: unknown): unknown {
  if (value instanceof Float) return value.value;
  return value instanceof Complex ? [value.re, value.im].join() : Array.isArray(value) ? value.join() : value;
}

const equal = (a: unknown, b: unknown) =>
  a === b || ((typeof a === 'bigint' || typeof b === 'bigint') && String(a) === String(b));

const close = (a: number, b: number, scale: number) => Object.is(a, b) || a === b || Math.abs(a - b) <= scale;

function tensorDifference(where: string, expected: EncodedTensor, actual: Tensor): string | undefined {
  if (actual.dtype !== expected.dtype) return `${where}: expected dtype ${expected.dtype}, got ${actual.dtype}`;
  const { shape } = actual;
  if (shape.join() !== expected.shape.join()) {
    return `${where}: expected shape [${expected.shape.join(', ')}], got [${shape.join(', ')}]`;
  }
  const wanted = elements(decodeTensor(expected));
  const got = elements(actual.detach());
  const tolerance = tolerances[expected.dtype];
  const scale = tolerance === undefined ? 0 : tolerance * largest(wanted);
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [wanted[i], got[i]] as [number | bigint, number | bigint];
    if (typeof a === 'bigint' || typeof b === 'bigint' ? a === b : close(a, b, scale)) continue;
    return `${where}: element ${i} of ${expected.dtype} should be ${a}, is ${b}`;
  }
  return undefined;
}

/** The numbers in row-major order; of a complex tensor its parts. */
function elements(tensor: Tensor): ArrayLike<number | bigint> {
  const narrow = tensor.dtype === 'float16' || tensor.dtype === 'bfloat16';
  return (narrow ? tensor.to('float32') : tensor).toTypedArray();
}

function largest(values: ArrayLike<number | bigint>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(Number(values[i]));
    if (Number.isFinite(size) && size > most) most = size;
  }
  return most;
}
