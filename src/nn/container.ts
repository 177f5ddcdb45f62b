import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import type { Tensor } from '../tensor/index.js';
import { type Layer, Module } from './module.js';
import type { Parameter } from './parameter.js';

/** A container whose children are named by their index. */
abstract class Numbered<Child extends Module> extends Module {
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(...children: Child[]): this {
    for (const child of children) {
      checkCall(`${this.constructor.name}.push`, ['module: layer'], undefined, [child]);
      (this as unknown as Record<number, Child>)[this.#length] = child;
      this.#length++;
    }
    return this;
  }

  /** Child number `index`; negative numbers count from the end. Throws ArgumentError if there is none. */
  at(index: number): Child {
    const child = (this as unknown as Record<number, Child>)[index < 0 ? this.#length + index : index];
    if (!child) throw new ArgumentError(`There is no module number ${index}: there are ${this.#length}.`);
    return child;
  }

  *[Symbol.iterator](): Generator<Child> {
    for (let i = 0; i < this.#length; i++) yield this.at(i);
  }
}

/** Applies modules one after the other; they are named by their index. */
export class Sequential extends Numbered<Layer> {
  constructor(...layers: Layer[]) {
    super();
    this.push(...layers);
  }

  /** The layers in order. */
  layers(): Layer[] {
    return [...this];
  }

  forward(x: Tensor): Tensor {
    let value = x;
    for (const layer of this) value = layer.forward(value);
    return value;
  }
}

/** A list of modules without a forward of its own: the owner calls them. */
export class ModuleList<Child extends Module = Layer> extends Numbered<Child> {
  constructor(modules: Iterable<Child> = []) {
    checkCall('new nn.ModuleList', ['modules?: iterable'], undefined, arguments);
    super();
    this.push(...modules);
  }

  forward(): never {
    throw new ArgumentError('A ModuleList computes nothing: call its members.');
  }
}

/** Modules by name. */
export class ModuleDict<Child extends Module = Layer> extends Module {
  constructor(modules: Record<string, Child> = {}) {
    checkCall('new nn.ModuleDict', ['modules?: object'], undefined, arguments);
    super();
    for (const [name, module] of Object.entries(modules)) this.set(name, module);
  }

  set(name: string, module: Child): this {
    if (name in ModuleDict.prototype || name === 'training')
      throw new ArgumentError(`'${name}' cannot be the name of a module: modules have a member of that name.`);
    (this as unknown as Record<string, Child>)[name] = module;
    return this;
  }

  /** Returns a module by name. Throws ArgumentError if there is none. */
  get(name: string): Child {
    const child = Object.hasOwn(this, name) ? (this as unknown as Record<string, unknown>)[name] : undefined;
    if (!(child instanceof Module))
      throw new ArgumentError(`There is no module '${name}'; there are ${this.keys().join(', ')}.`);
    return child as Child;
  }

  keys(): string[] {
    return [...this.namedChildren()].map(([name]) => name);
  }

  forward(): never {
    throw new ArgumentError('A ModuleDict computes nothing: call its members.');
  }
}

/** A list of parameters, named by their index. */
export class ParameterList extends Module {
  readonly #items: Parameter[] = [];

  constructor(parameters: Iterable<Parameter> = []) {
    checkCall('new nn.ParameterList', ['parameters?: iterable'], undefined, arguments);
    super();
    for (const parameter of parameters) this.push(parameter);
  }

  get length(): number {
    return this.#items.length;
  }

  push(parameter: Parameter): this {
    (this as unknown as Record<number, Parameter>)[this.#items.length] = parameter;
    this.#items.push(parameter);
    return this;
  }

  [Symbol.iterator](): Iterator<Parameter> {
    return this.#items[Symbol.iterator]();
  }

  forward(): never {
    throw new ArgumentError('A ParameterList computes nothing: use its members.');
  }
}

/** Parameters by name. */
export class ParameterDict extends Module {
  constructor(parameters: Record<string, Parameter> = {}) {
    checkCall('new nn.ParameterDict', ['parameters?: object'], undefined, arguments);
    super();
    for (const [name, parameter] of Object.entries(parameters)) this.set(name, parameter);
  }

  set(name: string, parameter: Parameter): this {
    if (name in ParameterDict.prototype || name === 'training')
      throw new ArgumentError(`'${name}' cannot be the name of a parameter: modules have a member of that name.`);
    checkCall('ParameterDict.set', ['parameter: tensor'], undefined, [parameter]);
    (this as unknown as Record<string, Parameter>)[name] = parameter;
    return this;
  }

  /** Returns a parameter by name. Throws ArgumentError if there is none. */
  get(name: string): Parameter {
    const found = new Map(this.namedParameters()).get(name);
    if (!found) throw new ArgumentError(`There is no parameter '${name}'; there are ${this.keys().join(', ')}.`);
    return found;
  }

  keys(): string[] {
    return [...this.namedParameters()].map(([name]) => name);
  }

  forward(): never {
    throw new ArgumentError('A ParameterDict computes nothing: use its members.');
  }
}
