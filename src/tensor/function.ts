/** Functions whose gradient is written in TypeScript, and recomputation instead of storage. */
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import { enableGrad, isGradEnabled, noGrad } from './autograd.js';
import { owned } from './ownership.js';
import { keep, scope } from './scope.js';
import { Tensor } from './tensor.js';

/** State that the forward pass saves for the backward pass. */
export class FunctionContext {
  /** In the backward pass: the tensors passed to saveForBackward. */
  savedTensors: Tensor[] = [];
  /** For each input, whether its gradient is needed. */
  needsInputGrad: boolean[] = [];
  /** @internal */
  toSave: Tensor[] = [];
  /** @internal */
  nonDifferentiable = new Set<Tensor>();
  [key: string]: unknown;

  /** Saves inputs or outputs for the backward pass; other ways create a reference cycle with the graph. */
  saveForBackward(...tensors: Tensor[]): void {
    this.toSave = tensors;
  }

  /** Marks outputs that have no gradient, such as indices. */
  markNonDifferentiable(...tensors: Tensor[]): void {
    for (const tensor of tensors) this.nonDifferentiable.add(tensor);
  }
}

type Outputs = Tensor | Tensor[];
type Gradients = Tensor | null | (Tensor | null)[];

/** The two passes of a function, as static methods of a subclass of {@link AutogradFunction}. */
export interface FunctionPasses<Inputs extends unknown[]> {
  forward(context: FunctionContext, ...inputs: Inputs): Outputs;
  /** One gradient for each input of forward; null for inputs that have none or are not tensors. */
  backward(context: FunctionContext, ...gradients: Tensor[]): Gradients;
}

/**
 * The base of custom functions, as torch.autograd.Function:
 *
 *     class Square extends AutogradFunction {
 *       static forward(context: FunctionContext, x: Tensor) { context.saveForBackward(x); return x.mul(x); }
 *       static backward(context: FunctionContext, g: Tensor) { return g.mul(context.savedTensors[0]).mul(2); }
 *     }
 *     const y = Square.apply(x);
 */
// biome-ignore lint/complexity/noStaticOnlyClass: users extend it, as they do in PyTorch.
export abstract class AutogradFunction {
  static apply<Inputs extends unknown[], Result extends Outputs>(
    this: {
      forward(context: FunctionContext, ...inputs: Inputs): Result;
      backward(context: FunctionContext, ...gradients: Tensor[]): Gradients;
    },
    ...inputs: Inputs
  ): Result {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass, whose passes are called.
    return applyFunction(this as FunctionPasses<Inputs>, inputs) as Result;
  }
}

function applyFunction<Inputs extends unknown[]>(passes: FunctionPasses<Inputs>, inputs: Inputs): Outputs {
  const context = new FunctionContext();
  context.needsInputGrad = inputs.map((input) => input instanceof Tensor && input.requiresGrad);
  const result = noGrad(() => passes.forward(context, ...inputs));
  if (!isGradEnabled() || !context.needsInputGrad.some(Boolean)) return result;

  const tensors = inputs.filter((input): input is Tensor => input instanceof Tensor);
  // An input that is returned unchanged must not become its own descendant.
  const fresh = (output: Tensor) => (tensors.includes(output) ? noGrad(() => output.viewAs(output)) : output);
  const outputs = [result].flat().map(fresh);
  const differentiable = outputs.filter((output) => !context.nonDifferentiable.has(output));
  const backward = (gradients: (number | null)[], saved: number[]) =>
    runBackward(passes, context, inputs, differentiable.length, gradients, saved);
  const handles = (list: Tensor[]) => list.map((tensor) => tensor.handle);
  native().attachBackward(handles(tensors), handles(differentiable), handles(context.toSave), backward);
  context.toSave = [];
  return Array.isArray(result) ? outputs : (outputs[0] as Tensor);
}

function runBackward<Inputs extends unknown[]>(
  passes: FunctionPasses<Inputs>,
  context: FunctionContext,
  inputs: Inputs,
  outputs: number,
  gradients: (number | null)[],
  saved: number[],
): (number | null)[] {
  if (gradients.length !== outputs)
    throw new ArgumentError('The backward pass was given another number of gradients than there were outputs.');
  context.savedTensors = saved.map((handle) => owned(new Tensor(handle)));
  const given = gradients.map((handle) => (handle === null ? null : owned(new Tensor(handle))));
  const answer = [passes.backward(context, ...(given as Tensor[]))].flat();
  for (const gradient of answer) checkCall('The result of backward()', ['gradient?: tensor'], undefined, [gradient]);
  context.savedTensors = [];
  if (answer.length !== inputs.length) {
    throw new ArgumentError(
      `backward() returned ${answer.length} gradients for ${inputs.length} inputs; give null where there is none.`,
    );
  }
  return answer.flatMap((gradient, i) => (inputs[i] instanceof Tensor ? [gradient?.handle ?? null] : []));
}

/**
 * Runs `body` without saving activations, and runs it again in the backward pass: less memory for more time. As
 * torch.utils.checkpoint. Tensors that `body` uses without receiving them as inputs, such as parameters, get their
 * gradients as well.
 */
export function checkpoint(body: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  checkCall('checkpoint', ['body: function', 'inputs: tensors'], undefined, [body, inputs]);
  const passes: FunctionPasses<[Tensor, ...Tensor[]]> = {
    forward(context, _anchor, ...given) {
      context.saveForBackward(...given);
      context.random = keep(owned(new Tensor(native().generatorState(0))));
      return body(...given);
    },
    backward(context, gradient) {
      return scope(() => {
        const again = context.savedTensors.map((tensor) => {
          const leaf = tensor.detach();
          return tensor.requiresGrad ? leaf.requiresGrad_() : leaf;
        });
        const output = withRandomState(context.random as Tensor, () => enableGrad(() => body(...again)));
        output.backward(gradient);
        return [null, ...again.map((leaf) => leaf.grad)];
      });
    },
  };
  // One input must require a gradient even if only the parameters inside `body` do.
  const anchor = noGrad(() => (inputs[0] ?? missing()).newZeros([1]))
    .to('float32')
    .requiresGrad_();
  return applyFunction(passes, [anchor, ...inputs]) as Tensor;
}

const missing = (): never => {
  throw new ArgumentError('checkpoint() needs at least one input.');
};

/** Runs `body` with an earlier state of the default generator, then restores the current state. */
function withRandomState<T>(state: Tensor, body: () => T): T {
  const now = native().generatorState(0);
  native().setGeneratorState(0, state.handle);
  try {
    return body();
  } finally {
    native().setGeneratorState(0, now);
    native().release(now);
  }
}
