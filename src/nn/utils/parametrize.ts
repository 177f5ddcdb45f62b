/** Parameters that are computed from others, as torch.nn.utils.parametrize. */
import { checkCall } from '../../call.js';
import { ArgumentError } from '../../errors.js';
import { noGrad, type Tensor } from '../../tensor/index.js';
import { Module } from '../module.js';
import { Parameter } from '../parameter.js';

/**
 * A module whose `forward` computes a parameter from one tensor or several, and whose `rightInverse`, if there is one,
 * returns tensors for a value.
 */
export interface Parametrization extends Module {
  forward(...originals: Tensor[]): Tensor;
  rightInverse?(value: Tensor): Tensor | Tensor[];
}

/** The original tensors of a parameter, `original` or `original0`, ..., and its parametrizations, `0`, `1`, ... */
export class ParametrizationList extends Module {
  #steps: Parametrization[] = [];
  readonly #originals: Parameter[];

  constructor(originals: Parameter[], single: boolean) {
    super();
    this.#originals = originals;
    for (const [i, original] of originals.entries())
      (this as unknown as Record<string, Parameter>)[single ? 'original' : `original${i}`] = original;
  }

  push(step: Parametrization): void {
    (this as unknown as Record<number, Parametrization>)[this.#steps.length] = step;
    this.#steps.push(step);
  }

  get length(): number {
    return this.#steps.length;
  }

  get originals(): readonly Parameter[] {
    return this.#originals;
  }

  /** The parameter's value. */
  forward(): Tensor {
    const [first, ...rest] = this.#steps as [Parametrization, ...Parametrization[]];
    return rest.reduce((value, step) => step.forward(value), first.forward(...this.#originals));
  }

  /** Sets the originals so that the value is this one, as far as the parametrizations have inverses. */
  assign(value: Tensor): void {
    noGrad(() => {
      let tensors = [value];
      for (const step of [...this.#steps].reverse()) tensors = inverse(step, tensors[0] as Tensor);
      for (const [i, original] of this.#originals.entries()) original.copy_(tensors[i] as Tensor);
    });
  }
}

class Parametrizations extends Module {
  forward(): never {
    throw new ArgumentError('The parametrizations of a module compute nothing: call the module.');
  }
}

type Open = Record<string, unknown>;
const listsOf = (module: Module) => (module as unknown as Open).parametrizations as Open | undefined;

const inverse = (step: Parametrization, value: Tensor): Tensor[] => [step.rightInverse?.(value) ?? value].flat();

/**
 * Makes a parameter the result of `parametrization`: it trains the originals, which are in the state dict as
 * `parametrizations.weight.original`. A second one is applied to the result of the first. Throws ArgumentError if the
 * module has no such parameter, or the shape of the result differs.
 */
export function registerParametrization<M extends Module>(
  module: M,
  name: string,
  parametrization: Parametrization,
): M {
  const given = ['module: layer', 'name: text', 'parametrization: layer'];
  checkCall('registerParametrization', given, undefined, arguments);
  const list = listsOf(module)?.[name] as ParametrizationList | undefined;
  if (list) {
    const value = noGrad(() => list.forward());
    list.push(parametrization);
    list.assign(value);
    return module;
  }
  const parameter = (module as unknown as Open)[name];
  if (!(parameter instanceof Parameter))
    throw new ArgumentError(`${module.constructor.name} has no parameter '${name}'.`);
  const originals = noGrad(() => inverse(parametrization, parameter));
  const result = noGrad(() => parametrization.forward(...originals));
  if (result.shape.join() !== parameter.shape.join())
    throw new ArgumentError(`The parametrization makes [${result.shape}] of '${name}' [${parameter.shape}].`);
  const single = originals.length === 1;
  const own = originals.map((original) => (original === parameter ? parameter : new Parameter(original.clone())));
  const made = new ParametrizationList(own, single);
  made.push(parametrization);
  delete (module as unknown as Open)[name];
  const open = module as unknown as Open;
  open.parametrizations ??= new Parametrizations();
  (open.parametrizations as Open)[name] = made;
  Object.defineProperty(module, name, {
    configurable: true,
    enumerable: false,
    get: () => made.forward(),
    set: (value: Tensor) => made.assign(value),
  });
  return module;
}

/** Whether a module, or one parameter of it, has parametrizations. */
export function isParametrized(module: Module, name?: string): boolean {
  checkCall('isParametrized', ['module: layer', 'name?: text'], undefined, arguments);
  const lists = listsOf(module);
  return lists !== undefined && (name === undefined || Object.hasOwn(lists, name));
}

/**
 * Makes a parameter an ordinary one again: with its present value, or with `leaveParametrized: false` with that of the
 * original. Throws ArgumentError if it has no parametrizations, or there are several originals to leave.
 */
export function removeParametrizations<M extends Module>(
  module: M,
  name: string,
  options: { /** Default true. */ leaveParametrized?: boolean } = {},
): M {
  const kinds = { leaveParametrized: 'boolean' } as const;
  checkCall('removeParametrizations', ['module: layer', 'name: text'], kinds, arguments);
  const lists = listsOf(module) as Open;
  if (!isParametrized(module, name))
    throw new ArgumentError(`'${name}' of ${module.constructor.name} has no parametrizations.`);
  const list = lists[name] as ParametrizationList;
  const [original] = list.originals;
  const leave = options.leaveParametrized ?? true;
  if (!leave && list.originals.length > 1)
    throw new ArgumentError(`'${name}' has ${list.originals.length} originals: leave it parametrized.`);
  const value = leave ? new Parameter(noGrad(() => list.forward().clone())) : original;
  delete (module as unknown as Open)[name];
  (module as unknown as Open)[name] = value;
  delete lists[name];
  if (!Object.values(lists).some((left) => left instanceof ParametrizationList))
    delete (module as unknown as Open).parametrizations;
  return module;
}
