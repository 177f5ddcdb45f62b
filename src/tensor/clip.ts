/** Norms and limits of gradients, as torch.nn.utils. */
import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ConfigError } from '../errors.js';
import { noGrad } from './autograd.js';
import { functions as torch } from './methods.js';
import { scope } from './scope.js';
import type { Tensor } from './tensor.js';

const clipKinds: Kinds<ClipGradNormOptions> = { normType: 'number', errorIfNonfinite: 'boolean' };

/** Options of {@link clipGradNorm_}. */
export interface ClipGradNormOptions {
  /** The order of the norm; Infinity for the largest magnitude. Default 2. */
  normType?: number;
  /** Throws if the norm is NaN or Inf, which waits for the device. Default false. */
  errorIfNonfinite?: boolean;
}

/**
 * The norm of all `tensors` as one vector, as torch.nn.utils.get_total_norm; the gradients of parameters are
 * `params.flatMap(({ grad }) => grad ?? [])`.
 */
export function getTotalNorm(tensors: Iterable<Tensor>, normType = 2): Tensor {
  checkCall('getTotalNorm', ['tensors: iterable', 'normType?: number'], undefined, arguments);
  return noGrad(() => scope(() => totalNorm([...tensors], normType)));
}

/** The norm of the gradients of `params`, taken over all of them as one vector. */
export function gradientNorm(params: Iterable<Tensor>): Tensor {
  return noGrad(() => scope(() => totalNorm(gradientsOf(params), 2)));
}

function totalNorm(gradients: Tensor[], normType: number): Tensor {
  const [first] = gradients;
  if (!first) return torch.zeros([]);
  const norms = torch._foreachNorm(gradients, normType).map((norm) => norm.to(first.device));
  return torch.linalgVectorNorm(torch.stack(norms), normType);
}

/**
 * Scales the gradients of `params` down in place, so that their norm, taken over all of them as one vector, is at most
 * `maxNorm`. Returns the norm before scaling. As torch.nn.utils.clip_grad_norm_. Throws ConfigError if maxNorm is below
 * 0, ArgumentError if the norm is NaN or Inf and `errorIfNonfinite` is set; the gradients are then unchanged.
 */
export function clipGradNorm_(params: Iterable<Tensor>, maxNorm: number, options: ClipGradNormOptions = {}): Tensor {
  checkCall('clipGradNorm_', ['params: iterable', 'maxNorm: number'], clipKinds, arguments);
  const { normType = 2, errorIfNonfinite = false } = options;
  checkNotNegative({ maxNorm });
  return noGrad(() =>
    scope(() => {
      const gradients = gradientsOf(params);
      const total = totalNorm(gradients, normType);
      if (errorIfNonfinite && !Number.isFinite(total.item())) {
        throw new ArgumentError(
          `The norm of order ${normType} of the gradients is ${total.item()}, so they cannot be clipped to ${maxNorm}.`,
        );
      }
      scaleDown(gradients, maxNorm, total);
      return total;
    }),
  );
}

/**
 * Scales the gradients of `params` down in place as {@link clipGradNorm_} does, by a norm that {@link getTotalNorm}
 * returned. As torch.nn.utils.clip_grads_with_norm_. Throws ConfigError if maxNorm is below 0.
 */
export function clipGradsWithNorm_(params: Iterable<Tensor>, maxNorm: number, totalNorm: Tensor): void {
  const given = ['params: iterable', 'maxNorm: number', 'totalNorm: tensor'];
  checkCall('clipGradsWithNorm_', given, undefined, arguments);
  checkNotNegative({ maxNorm });
  noGrad(() => scope(() => scaleDown(gradientsOf(params), maxNorm, totalNorm)));
}

function scaleDown(gradients: Tensor[], maxNorm: number, total: Tensor): void {
  // Clamping the factor to 1 replaces a branch on its value, which would wait for the device.
  const factor = total.add(1e-6).reciprocal().mul(maxNorm).clamp({ max: 1 });
  for (const device of new Set(gradients.map((gradient) => gradient.device)))
    torch._foreachMul_(
      gradients.filter((gradient) => gradient.device === device),
      factor.to(device),
    );
}

/**
 * Limits every element of the gradients of `params` to [-value, value] in place. As torch.nn.utils.clip_grad_value_.
 * Throws ConfigError if value is below 0.
 */
export function clipGradValue_(params: Iterable<Tensor>, value: number): void {
  checkCall('clipGradValue_', ['params: iterable', 'value: number'], undefined, arguments);
  checkNotNegative({ value });
  noGrad(() =>
    scope(() => {
      const gradients = gradientsOf(params);
      if (gradients.length === 0) return;
      torch._foreachClampMin_(gradients, -value);
      torch._foreachClampMax_(gradients, value);
    }),
  );
}

function checkNotNegative(options: Record<string, number>): void {
  for (const [name, value] of Object.entries(options))
    if (!(value >= 0)) throw new ConfigError(`${name} must be at least 0, not ${value}.`);
}

function gradientsOf(params: Iterable<Tensor>): Tensor[] {
  return [...params].flatMap((param) => param.grad ?? []);
}
