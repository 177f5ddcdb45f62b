import { ArgumentError, SrrlError } from '../errors.js';
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

export interface ClipOptions {
  /** Which norm; Infinity for the largest element. Default 2. */
  normType?: number;
  /** Throws where the norm is NaN or infinite, and changes nothing then. Waits for the device. Default false. */
  errorIfNonfinite?: boolean;
}

const gradientsOf = (params: Iterable<Tensor>): Tensor[] =>
  [...params].flatMap((param) => {
    const { grad } = param;
    return grad ? [grad] : [];
  });

/**
 * Scales the gradients of all parameters so that their common norm is at most `maxNorm`, as torch.nn.utils.clip_grad_norm_. Returns the norm
 * that they had.
 */
export function clipGradNorm_(
  params: Iterable<Tensor>,
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: ClipOptions = {},
): Tensor {
  if (!(maxNorm >= 0)) throw new ArgumentError(`maxNorm must be at least 0, not ${maxNorm}.`);
  return noGrad(() =>
    scope(() => {
      const gradients = gradientsOf(params);
      if (gradients.length === 0) return torch.zeros([]);
      const norms = torch._foreachNorm(gradients, normType);
      const total = torch.linalgVectorNorm(torch.stack(norms), normType);
      if (errorIfNonfinite && !Number.isFinite(total.item())) {
        throw new SrrlError(
          'ERR_DIVERGED',
          `The norm of the gradients is ${total.item()}; they were left as they are.`,
        );
      }
      // 1e-6 and the clamp are PyTorch's: the factor is always applied, so nothing waits for the device.
      torch._foreachMul_(gradients, torch.clamp(total.add(1e-6).reciprocal().mul(maxNorm), null, 1));
      return total;
    }),
  );
}

/** Limits every element of the gradients to -value..value, as torch.nn.utils.clip_grad_value_. */
export function clipGradValue_(params: Iterable<Tensor>, value: number): void {
  if (!(value >= 0)) throw new ArgumentError(`value must be at least 0, not ${value}.`);
  noGrad(() =>
    scope(() => {
      const gradients = gradientsOf(params);
      if (gradients.length === 0) return;
      torch._foreachClampMin_(gradients, -value);
      torch._foreachClampMax_(gradients, value);
    }),
  );
}
