import { checkCall } from '../call.js';
import { ArgumentError, ConfigError, ShapeError } from '../errors.js';
import { native } from '../native.js';
import {
  type DType,
  type HookHandle,
  isFloatingPoint,
  keep,
  type MemoryFormat,
  noGrad,
  scope,
  Tensor,
  type TensorHolder,
  uncloneable,
} from '../tensor/index.js';
import { type ForwardHook, type ForwardPreHook, hookForward } from './hooks.js';
import { Parameter } from './parameter.js';

/** Tensors by their names in PyTorch. */
export type StateDict = Record<string, Tensor>;

/** Names that are only in a module or only in a state dict. */
export interface LoadReport {
  /** Names in the module that the state dict lacks. */
  missingKeys: string[];
  /** Names in the state dict that the module lacks. */
  unexpectedKeys: string[];
}

/**
 * The base class of layers and models. Three kinds of state are properties of the object, and the property's name is
 * the name in the state dict: a {@link Parameter} is trained; a buffer (see {@link registerBuffer}) is saved but not
 * trained; a Module is a child. Call `forward` directly.
 */
export abstract class Module implements TensorHolder {
  /** Training mode: dropout is active, batch normalization uses the batch's statistics. Set by train() and eval(). */
  training = true;
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;
  readonly #buffers = new Set<string>();

  abstract forward(...inputs: never[]): unknown;

  /** Makes `tensor` a property that is saved with the module, moved with it, and not trained. */
  protected registerBuffer(name: string, tensor: Tensor): void {
    this.#buffers.add(name);
    (this as Record<string, unknown>)[name] = keep(tensor);
  }

  /** Children with their names, in order of creation. */
  *namedChildren(): Generator<[string, Module]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Module) yield [name, value];
  }

  /** This module and its descendants with their paths; the module's own path is empty. */
  *namedModules(prefix = ''): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(prefix ? `${prefix}.${name}` : name);
  }

  *namedParameters(prefix = ''): Generator<[string, Parameter]> {
    yield* this.named((value) => value instanceof Parameter, prefix) as Generator<[string, Parameter]>;
  }

  *namedBuffers(prefix = ''): Generator<[string, Tensor]> {
    yield* this.named((_value, name, module) => module.#buffers.has(name), prefix);
  }

  /** Tensors that are properties of this module or one below it. */
  private *named(
    wanted: (value: Tensor, name: string, module: Module) => boolean,
    prefix: string,
  ): Generator<[string, Tensor]> {
    for (const [path, module] of this.namedModules(prefix)) {
      for (const [name, value] of Object.entries(module)) {
        if (value instanceof Tensor && wanted(value, name, module)) yield [path ? `${path}.${name}` : name, value];
      }
    }
  }

  *parameters(): Generator<Parameter> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  *heldTensors(): Generator<Tensor> {
    yield* this.parameters();
    for (const [, buffer] of this.namedBuffers()) yield buffer;
  }

  /** Parameters and buffers by name, in PyTorch's order. The tensors share the module's memory. */
  stateDict(): StateDict {
    const state: StateDict = {};
    for (const [path, module] of this.namedModules()) {
      const own = Object.entries(module).filter(([, value]) => value instanceof Tensor) as [string, Tensor][];
      const parameters = own.filter(([, value]) => value instanceof Parameter);
      const buffers = own.filter(([name]) => module.#buffers.has(name));
      for (const [name, value] of [...parameters, ...buffers]) state[path ? `${path}.${name}` : name] = value.detach();
    }
    return state;
  }

  /**
   * Copies a state dict into the module, converting dtype and device. A missing `num_batches_tracked` stays unchanged.
   * Throws ConfigError if names are missing or unexpected with `strict` (the default), ShapeError if sizes differ; the
   * module is then unchanged.
   */
  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): LoadReport {
    checkCall('loadStateDict', ['state: object'], { strict: 'boolean' }, arguments);
    const { strict = true } = options;
    const own = new Map<string, Tensor>([...this.namedParameters(), ...this.namedBuffers()]);
    // Old state dicts and those of other tools have no batch counters; PyTorch's strict load accepts them too.
    const missingKeys = [...own.keys()].filter(
      (name) => !Object.hasOwn(state, name) && !/(^|\.)num_batches_tracked$/.test(name),
    );
    const unexpectedKeys = Object.keys(state).filter((name) => !own.has(name));
    if (strict && missingKeys.length + unexpectedKeys.length > 0) {
      throw new ConfigError(
        `The state dict does not fit ${this.constructor.name}: missing ${listed(missingKeys)}; unexpected ${listed(unexpectedKeys)}.`,
      );
    }
    const pairs = [...own].flatMap(([name, target]) => (state[name] ? [{ name, target, source: state[name] }] : []));
    for (const { name, target, source } of pairs) {
      if (!(source instanceof Tensor)) throw new ArgumentError(`'${name}' is not a tensor in the state dict.`);
      if (target.shape.join() !== source.shape.join()) {
        throw new ShapeError(
          `'${name}' has shape [${source.shape}] in the state dict and [${target.shape}] in ${this.constructor.name}.`,
        );
      }
    }
    noGrad(() => {
      for (const { target, source } of pairs) target.copy_(source);
    });
    return { missingKeys, unexpectedKeys };
  }

  train(on = true): this {
    for (const [, module] of this.namedModules()) module.training = on;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /**
   * Moves and converts parameters and buffers in place; a dtype applies to floating-point ones, a memory format to 4-d
   * ones.
   */
  to(options: { device?: string; dtype?: DType; memoryFormat?: MemoryFormat } = {}): this {
    checkCall('Module.to', [], { device: 'string', dtype: 'string', memoryFormat: 'string' }, arguments);
    const { device, dtype, memoryFormat } = options;
    for (const tensor of this.heldTensors()) {
      scope(() => {
        const moved = tensor.detach().to({
          ...(device && { device }),
          ...(dtype && isFloatingPoint(tensor.dtype) && { dtype }),
          ...(memoryFormat && tensor.ndim === 4 && { memoryFormat }),
        });
        native().setData(tensor.handle, moved.handle);
      });
    }
    return this;
  }

  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  requiresGrad_(on = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = on;
    return this;
  }

  /** Calls `visit` on every module below this one and then on this one. */
  apply(visit: (module: Module) => void): this {
    checkCall('Module.apply', ['visit: function'], undefined, arguments);
    for (const [, child] of this.namedChildren()) child.apply(visit);
    visit(this);
    return this;
  }

  /**
   * Calls `hook` with the inputs before every forward; a returned array replaces them. Modules without hooks have no
   * overhead. Hooks run in the order in which they were registered.
   */
  registerForwardPreHook(hook: ForwardPreHook): HookHandle {
    return hookForward(this, 'before', hook);
  }

  /**
   * Calls `hook` with inputs and output after every forward; a returned value other than undefined replaces the output.
   */
  registerForwardHook(hook: ForwardHook): HookHandle {
    return hookForward(this, 'after', hook);
  }

  /** The number of elements of all parameters. */
  numParameters(): number {
    return [...this.parameters()].reduce((sum, parameter) => sum + parameter.numel(), 0);
  }

  /** Frees the parameters and buffers. */
  dispose(): void {
    for (const tensor of [...this.heldTensors()]) tensor.dispose();
  }
}

/** A module from one tensor to one tensor. */
export interface Layer extends Module {
  forward(x: Tensor): Tensor;
}

function listed(names: string[]): string {
  if (names.length === 0) return 'none';
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
