/** Functions and names that PyTorch implements in Python, not as operators. */
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type DType, dtypes } from './dtype.js';
import { functions as torch } from './methods.js';
import { Tensor } from './tensor.js';

/** `torch.float32`, `torch.int64` and the other dtypes; each value is its name. */
export const dtypeNames: Readonly<{ [Name in DType]: Name }> = Object.freeze(
  Object.fromEntries(dtypes.map((name) => [name, name])),
) as { [Name in DType]: Name };

const uniqueKinds = { sorted: 'boolean', returnInverse: 'boolean', returnCounts: 'boolean', dim: 'number?' } as const;

/** Options of {@link unique}. */
export interface UniqueOptions {
  /** Sorts the values. Default true. */
  sorted?: boolean;
  /** Also returns where each element of the input is in the result. Default false. */
  returnInverse?: boolean;
  /** Also returns how often each value occurs. Default false. */
  returnCounts?: boolean;
  /** Compares slices along this dimension instead of elements. Default null: all elements. */
  dim?: number | null;
}

/**
 * Returns the unique values of a tensor, as torch.unique: `[values, inverse, counts]`, with null for the parts that
 * were not requested.
 */
export function unique(x: Tensor, options: UniqueOptions = {}): [Tensor, Tensor | null, Tensor | null] {
  checkCall('unique', ['x: tensor'], uniqueKinds, arguments);
  const { sorted = true, returnInverse = false, returnCounts = false, dim = null } = options;
  const [values, inverse, counts] =
    dim === null
      ? torch._unique2(x, sorted, returnInverse, returnCounts)
      : torch.uniqueDim(x, dim, sorted, returnInverse, returnCounts);
  return [values, returnInverse ? inverse : null, returnCounts ? counts : null];
}

/** Returns the coordinates of flat positions in a tensor of this shape, one int64 tensor for each dimension. */
export function unravelIndex(indices: Tensor, shape: readonly number[]): Tensor[] {
  checkCall('unravelIndex', ['indices: tensor', 'shape: numbers'], undefined, arguments);
  if (indices.isFloatingPoint() || indices.dtype === 'bool')
    throw new ArgumentError(`unravelIndex needs integer positions, not ${indices.dtype}.`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (indices.numel() > 0 && (Number(indices.min().item()) < -count || Number(indices.max().item()) >= count))
    throw new ArgumentError(`unravelIndex: a position lies outside of the ${count} elements of [${shape.join(', ')}].`);
  let rest = indices.long().remainder(count);
  return [...shape]
    .reverse()
    .map((size) => {
      const coordinate = rest.remainder(size);
      rest = rest.floorDivide(size);
      return coordinate;
    })
    .reverse();
}

const lowrankKinds = { q: 'number', niter: 'number', M: 'any' } as const;

/** Options of {@link svdLowrank}. */
export interface SvdLowrankOptions {
  /** Number of singular values. Default 6. */
  q?: number;
  /** Number of subspace iterations. Default 2. */
  niter?: number;
  /** Subtracted from x first, with broadcasting, such as the column means. Default null. */
  M?: Tensor | null;
}

/**
 * Approximates the q largest singular values and their vectors of x [..., m, n] by random projections (Halko et al.
 * 2009, algorithm 5.1), as torch.svd_lowrank: [U [..., m, q], S [..., q], V [..., n, q]].
 */
export function svdLowrank(x: Tensor, options: SvdLowrankOptions = {}): [Tensor, Tensor, Tensor] {
  checkCall('svdLowrank', ['x: tensor'], lowrankKinds, arguments);
  const { q = 6, niter = 2, M = null } = options;
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  if (!(Number.isInteger(q) && q >= 0 && q <= Math.min(rows, columns)))
    throw new ArgumentError(`svdLowrank: q must be a whole number up to ${Math.min(rows, columns)}, not ${q}.`);
  if (!(Number.isInteger(niter) && niter >= 0))
    throw new ArgumentError(`svdLowrank: niter must be a whole number of at least 0, not ${niter}.`);
  const a = M ? x.sub(M) : x;
  const wide = rows < columns;
  const tall = wide ? a.mH() : a;
  const range = rangeOf(tall, q, niter);
  const [u, s, vh] = torch.linalgSvd(range.mH().matmul(tall), false);
  const [left, right] = [range.matmul(u), vh.mH()];
  return wide ? [right, s, left] : [left, s, right];
}

/** An orthonormal basis [..., m, q] that approximates the span of the first q left singular vectors of `a`. */
function rangeOf(a: Tensor, q: number, niter: number): Tensor {
  const orthonormal = (matrix: Tensor) => torch.linalgQr(matrix)[0];
  const start = torch.randn([...a.shape.slice(0, -2), a.shape.at(-1) as number, q], {
    dtype: a.dtype,
    device: a.device,
  });
  let basis = orthonormal(a.matmul(start));
  for (let i = 0; i < niter; i++) basis = orthonormal(a.matmul(orthonormal(a.mH().matmul(basis))));
  return basis;
}

/** Transposes that are properties as in PyTorch; `mT()` and `mH()` are methods here. */
export interface Transposes {
  /** The tensor with its dimensions in reverse order; for a matrix, the transpose. */
  readonly T: Tensor;
  /** The conjugate transpose of a matrix. */
  readonly H: Tensor;
}

const transposes: Record<keyof Transposes, (x: Tensor) => Tensor> = { T: torch.numpyT, H: torch.matrixH };

for (const [name, of] of Object.entries(transposes)) {
  Object.defineProperty(Tensor.prototype, name, {
    configurable: true,
    get(this: Tensor) {
      return of(this);
    },
  });
}
