/** Checks gradients against finite differences, in float64. */
import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, SrrlError } from '../errors.js';
import { grad, noGrad } from './autograd.js';
import { functions as torch } from './methods.js';
import { scope } from './scope.js';
import type { Tensor } from './tensor.js';

const kinds: Kinds<GradcheckOptions> = { eps: 'number', atol: 'number', rtol: 'number' };

/** Options of `torch.autograd.gradcheck`. */
export interface GradcheckOptions {
  /** Half the distance between the two points of a difference. Default 1e-6. */
  eps?: number;
  /** Default 1e-5. */
  atol?: number;
  /** Default 1e-3. */
  rtol?: number;
}

/** Thrown when a gradient differs from the finite difference. */
export class GradcheckError extends SrrlError {
  constructor(message: string) {
    super('ERR_GRADCHECK', message);
  }
}

type Differentiable = (...inputs: Tensor[]) => Tensor;

/**
 * Compares the gradients of `f` with central differences at `inputs` (float64, requiring gradients), element by element
 * of input and output. Returns true, or throws GradcheckError with the element and both numbers. As
 * torch.autograd.gradcheck.
 */
export function gradcheck(f: Differentiable, inputs: Tensor[], options: GradcheckOptions = {}): true {
  checkCall('gradcheck', ['f: function', 'inputs: list'], kinds, arguments);
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options;
  const checked = inputs.filter((input) => input.requiresGrad);
  if (checked.length === 0) throw new ArgumentError('gradcheck() needs an input that requires a gradient.');
  if (checked.some((input) => input.dtype !== 'float64'))
    throw new ArgumentError('gradcheck() needs float64 inputs: float32 is too coarse for differences.');
  scope(() => {
    const analytic = jacobians(f, inputs, checked);
    for (const [i, input] of checked.entries()) {
      const numeric = slopes(f, inputs, input, eps);
      for (const [row, slope] of numeric.entries()) {
        for (const [column, expected] of slope.entries()) {
          const actual = analytic[column]?.[i]?.[row] ?? 0;
          if (Math.abs(actual - expected) <= atol + rtol * Math.abs(expected)) continue;
          throw new GradcheckError(
            `The gradient of output ${column} by element ${row} of input ${i} is ${actual}, its slope is ${expected}.`,
          );
        }
      }
    }
  });
  return true;
}

/**
 * Checks the gradients of the gradients of `f` in the same way, for fixed output gradients. As
 * torch.autograd.gradgradcheck.
 */
export function gradgradcheck(f: Differentiable, inputs: Tensor[], options: GradcheckOptions = {}): true {
  checkCall('gradgradcheck', ['f: function', 'inputs: list'], kinds, arguments);
  const checked = inputs.filter((input) => input.requiresGrad);
  const first = (...given: Tensor[]) => {
    const wanted = given.filter((input) => input.requiresGrad);
    const output = f(...given);
    // The same weights at every point, so that only the gradients move.
    const weights = torch.linspace(0.5, 1.5, output.numel(), { dtype: 'float64' });
    const gradOutputs = [weights.reshape(output.shape)];
    const gradients = grad(output, wanted, { gradOutputs, createGraph: true, allowUnused: true });
    return torch.cat(gradients.flatMap((gradient) => (gradient ? [gradient.reshape([-1])] : [])));
  };
  if (checked.length === 0) throw new ArgumentError('gradgradcheck() needs an input that requires a gradient.');
  return gradcheck(first, inputs, options);
}

const numbers = (tensor: Tensor): number[] => [...(tensor.detach().to('float64').toTypedArray() as Float64Array)];

/** [output element][input][input element] */
function jacobians(f: Differentiable, inputs: Tensor[], checked: Tensor[]): number[][][] {
  const output = f(...inputs).reshape([-1]);
  return Array.from({ length: output.numel() }, (_, i) =>
    grad(output.select(0, i), checked, { retainGraph: true, allowUnused: true }).map((gradient) =>
      gradient ? numbers(gradient) : [],
    ),
  );
}

/** [input element][output element], by moving one element at a time. */
function slopes(f: Differentiable, inputs: Tensor[], input: Tensor, eps: number): number[][] {
  const flat = noGrad(() => input.detach().view([-1]));
  // Not under noGrad: f may compute gradients itself. The detached view shares its memory with the input.
  const value = (i: number, by: number) =>
    scope(() => {
      const element = flat.narrow(0, i, 1);
      element.add_(by);
      try {
        return numbers(f(...inputs));
      } finally {
        element.sub_(by);
      }
    });
  return Array.from({ length: flat.numel() }, (_, i) => {
    const before = noGrad(() => flat.narrow(0, i, 1).clone());
    const [up, down] = [value(i, eps), value(i, -eps)];
    noGrad(() => flat.narrow(0, i, 1).copy_(before));
    return up.map((high, j) => (high - (down[j] as number)) / (2 * eps));
  });
}
