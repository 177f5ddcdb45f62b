import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import { functions as torch } from './methods.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

const kinds: Kinds<GradOptions> = {
  gradOutputs: 'any',
  retainGraph: 'boolean',
  createGraph: 'boolean',
  allowUnused: 'boolean',
};

export interface GradOptions {
  /** One gradient for each output; may be left out where outputs have one element. */
  gradOutputs?: Tensor[];
  /** Keeps the graph for another pass. Default: the value of `createGraph`. */
  retainGraph?: boolean;
  /** Makes the gradients differentiable themselves. Default false. */
  createGraph?: boolean;
  /** Returns null for inputs that the outputs do not depend on, instead of throwing. Default false. */
  allowUnused?: boolean;
}

type Grads<O extends GradOptions> = O extends { allowUnused: true } ? (Tensor | null)[] : Tensor[];

/** Gradients of `outputs` with respect to `inputs`; leaves every `grad` unchanged. As `torch.autograd.grad`. */
export function grad<O extends GradOptions>(
  outputs: Tensor | Tensor[],
  inputs: Tensor | Tensor[],
  options?: O,
): Grads<O> {
  checkCall('grad', ['outputs: tensors', 'inputs: tensors'], kinds, arguments);
  checkCall('gradOutputs', ['gradOutputs?: tensors'], undefined, [options?.gradOutputs]);
  const { gradOutputs, retainGraph, createGraph = false, allowUnused = false } = options ?? {};
  const handles = (tensors: Tensor | Tensor[]) => [tensors].flat().map((tensor) => tensor.handle);
  const gradients = native().grad(
    handles(outputs),
    handles(inputs),
    gradOutputs && handles(gradOutputs),
    retainGraph,
    createGraph,
    allowUnused,
  );
  return gradients.map((handle) => (handle === null ? null : owned(new Tensor(handle)))) as Grads<O>;
}

/**
 * Computes the gradients of the leaves of several tensors together, as torch.autograd.backward; `gradients` has one for
 * each tensor, null where that has one element.
 */
export function backward(
  tensors: Tensor | Tensor[],
  gradients?: Tensor | (Tensor | null)[] | null,
  options: { retainGraph?: boolean; createGraph?: boolean; inputs?: Tensor[] } = {},
): void {
  const kinds = { retainGraph: 'boolean', createGraph: 'boolean', inputs: 'any' } as const;
  checkCall('backward', ['tensors: tensors', 'gradients?'], kinds, arguments);
  const given = [gradients].flat();
  const { retainGraph, createGraph = false, inputs = [] } = options;
  const seeds = [tensors].flat().map((tensor, i) => given[i] ?? torch.onesLike(tensor));
  const all = [tensors].flat();
  const bad = all.find((tensor, i) => !given[i] && tensor.numel() !== 1);
  if (bad) throw new ArgumentError(`A tensor of shape [${bad.shape.join(', ')}] needs a gradient of its own shape.`);
  const handles = (some: Tensor[]) => some.map((tensor) => tensor.handle);
  native().backward(handles(all), handles(seeds), retainGraph, createGraph, handles(inputs));
}

/**
 * Runs `body` with gradient recording on or off, then restores the previous setting. `body` must be synchronous.
 */
export function setGradEnabled<T>(on: boolean, body: () => T): T {
  checkCall('setGradEnabled', ['on', 'body: function'], undefined, arguments);
  const before = native().setGradEnabled(on);
  try {
    return synchronous(body());
  } finally {
    native().setGradEnabled(before);
  }
}

/** Records no gradients in `body`. As `torch.no_grad()`. */
export const noGrad = <T>(body: () => T): T => setGradEnabled(false, body);

/** Records gradients in `body`, also inside {@link noGrad}. */
export const enableGrad = <T>(body: () => T): T => setGradEnabled(true, body);

export const isGradEnabled = (): boolean => native().gradEnabled();

/**
 * Like {@link noGrad}, a little faster: the tensors made can never take part in autograd. As `torch.inference_mode()`.
 */
export function inferenceMode<T>(body: () => T): T {
  checkCall('inferenceMode', ['body: function'], undefined, arguments);
  native().pushInferenceMode(true);
  try {
    return synchronous(body());
  } finally {
    native().popInferenceMode();
  }
}

function synchronous<T>(result: T): T {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {});
  throw new ArgumentError('This takes a synchronous function: the mode would end before the promise does.');
}
