/** Approximations of low rank, which PyTorch implements in Python. */
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { functions as torch } from './methods.js';
import type { Tensor } from './tensor.js';

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
  const tall = wide ? a.mH : a;
  const range = rangeOf(tall, q, niter);
  const [u, s, vh] = torch.linalgSvd(range.mH.matmul(tall), false);
  const [left, right] = [range.matmul(u), vh.mH];
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
  for (let i = 0; i < niter; i++) basis = orthonormal(a.matmul(orthonormal(a.mH.matmul(basis))));
  return basis;
}

/** Options of {@link pcaLowrank}. */
export interface PcaLowrankOptions {
  /** Number of components. Default min(6, m, n). */
  q?: number;
  /** Subtracts the mean of each column first. Default true. */
  center?: boolean;
  /** Number of subspace iterations. Default 2. */
  niter?: number;
}

/**
 * Approximates the q principal components of x [..., m, n], rows of observations, as torch.pca_lowrank:
 * [U [..., m, q], S [..., q], V [..., n, q]]. The columns of V are the directions.
 */
export function pcaLowrank(x: Tensor, options: PcaLowrankOptions = {}): [Tensor, Tensor, Tensor] {
  checkCall('pcaLowrank', ['x: tensor'], { q: 'number', center: 'boolean', niter: 'number' }, arguments);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const { q = Math.min(6, rows, columns), center = true, niter = 2 } = options;
  return svdLowrank(center ? x.sub(x.mean([-2], { keepdim: true })) : x, { q, niter });
}
