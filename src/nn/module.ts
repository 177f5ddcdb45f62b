import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import {
  type DType,
  type HookHandle,
  isFloatingPoint,
  keep,
  type MemoryFormat,
  scope,
  Tensor,
  type TensorHolder,
  uncloneable,
} from '../tensor/index.js';

import { type ForwardHook, type ForwardPreHook, hookForward } from './hooks.js';
import { found, type LoadReport, loadInto, type StateDict } from './module-state.js';
import { Parameter } from './parameter.js';

export type { LoadReport, StateDict } from './module-state.js';

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

  *children(): Generator<Module> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** This module and its descendants. */
  *modules(): Generator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** This module and its descendants with their paths; the module's own path is empty. */
  *namedModules(prefix = ''): Generator<[string, Module]> {
    if (typeof prefix !== 'string') throw new ArgumentError('The prefix of names must be a string.');
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

  *buffers(): Generator<Tensor> {
    for (const [, buffer] of this.namedBuffers()) yield buffer;
  }

  *heldTensors(): Generator<Tensor> {
    yield* this.parameters();
    yield* this.buffers();
  }

  /** A module by its path, as in `layer1.0.conv1`; '' is this one. Throws ArgumentError if there is none. */
  getSubmodule(path: string): Module {
    return found(this, 'module', path, this.namedModules());
  }

  /** A parameter by its path. Throws ArgumentError if there is none. */
  getParameter(path: string): Parameter {
    return found(this, 'parameter', path, this.namedParameters());
  }

  /** A buffer by its path. Throws ArgumentError if there is none. */
  getBuffer(path: string): Tensor {
    return found(this, 'buffer', path, this.namedBuffers());
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
    return loadInto(this, state, options.strict ?? true);
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

  /** Moves the module to the CPU in place. */
  cpu(): this {
    return this.to({ device: 'cpu' });
  }

  /** Moves the module to a GPU in place. */
  cuda(index = 0): this {
    checkCall('Module.cuda', ['index?: number'], undefined, arguments);
    return this.to({ device: `cuda:${index}` });
  }

  /** Converts the module to float32 in place. */
  float(): this {
    return this.to({ dtype: 'float32' });
  }

  /** Converts the module to float64 in place. */
  double(): this {
    return this.to({ dtype: 'float64' });
  }

  /** Converts the module to float16 in place. */
  half(): this {
    return this.to({ dtype: 'float16' });
  }

  /** Converts the module to bfloat16 in place. */
  bfloat16(): this {
    return this.to({ dtype: 'bfloat16' });
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
