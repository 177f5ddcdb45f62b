/**
 * Calls libtorch's operators: chooses the overload that fits the arguments, encodes them by its schema, and wraps the
 * results. The choice is cached for each shape of a call (the kinds of its arguments).
 */
import { ArgumentError } from '../errors.js';
import { type Native, native } from '../native.js';
import type { Flat, Schema } from '../native-types.js';
import { describeValue, encode, match, type Parameter, parameterOf } from './arguments.js';
import { keyOf, type Options, splitOptions } from './call-shape.js';
import { owned } from './ownership.js';
import { PreparedCalls } from './prepared.js';
import { wrapAll } from './results.js';
import { Tensor } from './tensor.js';

/** One operator with one signature. */
export interface Overload {
  number: number;
  schema: Schema;
  parameters: Parameter[];
  positional: number;
  /** Positions of the parameters that are changed in place and returned. */
  written: number[];
}

/** Where each parameter of the chosen overload comes from. */
interface Plan {
  overload: Overload;
  /** The arguments are exactly the leading tensors of the overload. */
  direct: boolean;
  /** All positional arguments from this one on are elements of one list, as in view(2, 3). */
  spreadFrom: number;
  withOptions: boolean;
}

/** An operator under one name with all its overloads, looked up when it is first called. */
export class Operator {
  /** Number of the overload from one (`binary`: two) tensors to one new tensor; -1 until a call has chosen it. */
  unary = -1;
  binary = -1;
  private invoke: Native['call'] = () => undefined;
  private overloads: Overload[] | undefined;
  private readonly plans = new Map<number | string, Plan>();
  private readonly prepared = new PreparedCalls();

  /** @param name with its namespace, as in `aten::add` */
  constructor(readonly name: string) {}

  call(args: unknown[]): unknown {
    const result = this.prepared.call(args);
    if (result !== undefined) return result;
    const key = keyOf(args);
    if (typeof key === 'string' && asksForGrad(args)) return this.callRequiringGrad(args);
    let plan = this.plans.get(key);
    if (plan === undefined) {
      plan = this.choose(args);
      this.plans.set(key, plan);
      if (plan.direct && makesOneTensor(plan.overload)) {
        this.invoke = native().call;
        if (args.length === 1) this.unary = plan.overload.number;
        if (args.length === 2) this.binary = plan.overload.number;
      }
    }
    if (makesOneTensor(plan.overload)) {
      this.prepared.consider(args, plan.overload.number, () => flatten(plan.overload, valuesOf(plan, args)));
    }
    return run(plan, args);
  }

  callUnary(self: Tensor): Tensor {
    return owned(new Tensor(this.invoke(this.unary, self.handle) as number));
  }

  callBinary(self: Tensor, other: Tensor): Tensor {
    return owned(new Tensor(this.invoke(this.binary, self.handle, other.handle) as number));
  }

  /** Handles `requiresGrad`, an option of PyTorch's factory functions that is missing in the schemas. */
  private callRequiringGrad(args: unknown[]): unknown {
    const { requiresGrad, ...options } = args.at(-1) as Options;
    if (requiresGrad !== undefined && typeof requiresGrad !== 'boolean')
      throw new ArgumentError(`${this.name}: requiresGrad must be true or false, not ${describeValue(requiresGrad)}.`);
    const result = this.call([...args.slice(0, -1), options]);
    if (requiresGrad === undefined) return result;
    if (!(result instanceof Tensor))
      throw new ArgumentError(`${this.name} makes no single tensor, so it has no option requiresGrad.`);
    return result.requiresGrad_(requiresGrad);
  }

  all(): Overload[] {
    this.overloads ??= overloadNames(this.name).map((overload) => load(this.name, overload));
    return this.overloads;
  }

  private choose(args: unknown[]): Plan {
    const { positional, options } = splitOptions(args);
    let best: Plan | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const overload of this.all()) {
      for (const spreadFrom of spreads(overload, positional)) {
        const cost = costOf(overload, gather(positional, spreadFrom), options);
        if (cost === undefined || cost >= bestCost) continue;
        bestCost = cost;
        const { parameters } = overload;
        const direct =
          options === undefined &&
          args.length > 0 &&
          args.every((arg, i) => arg instanceof Tensor && parameters[i]?.plainTensor) &&
          parameters.slice(args.length).every((parameter) => parameter.hasDefault);
        best = { overload, direct, spreadFrom, withOptions: options !== undefined };
      }
    }
    if (!best) throw new ArgumentError(noOverload(this, positional, options));
    return best;
  }
}

function asksForGrad(args: unknown[]): boolean {
  const { options } = splitOptions(args);
  return options !== undefined && Object.hasOwn(options, 'requiresGrad');
}

function makesOneTensor({ schema, written }: Overload): boolean {
  return written.length === 0 && schema.results.length === 1 && schema.results[0]?.type === 'Tensor';
}

/** Calls one overload, by the same rules. As in PyTorch, some operators accept a number as a tensor. */
export function callOverload(overload: Overload, args: unknown[]): unknown {
  const given = withNumbersAsTensors(overload, args);
  return run(planFor(overload, given).plan, given);
}

/** Operators whose tensor arguments may be numbers when an overload is called by its name; PyTorch's own list. */
const numbersAsTensors = new Set(
  'add sub mul div floor_divide true_divide subtract multiply divide'
    .split(' ')
    .flatMap((name) => [`aten::${name}`, `aten::${name}_`]),
);

function withNumbersAsTensors({ schema, parameters }: Overload, args: unknown[]): unknown[] {
  if (!numbersAsTensors.has(schema.name.split('.')[0] as string)) return args;
  return args.map((arg, i) =>
    parameters[i]?.plainTensor && ['number', 'bigint', 'boolean'].includes(typeof arg)
      ? owned(new Tensor(native().wrapNumber(arg as number)))
      : arg,
  );
}

function planFor(overload: Overload, args: unknown[]): { plan: Plan; values: unknown[] } {
  const { positional, options } = splitOptions(args);
  for (const spreadFrom of spreads(overload, positional)) {
    if (costOf(overload, gather(positional, spreadFrom), options) === undefined) continue;
    const plan = { overload, direct: false, spreadFrom, withOptions: options !== undefined };
    return { plan, values: valuesOf(plan, args) };
  }
  throw new ArgumentError(`${signature(overload)} does not take ${describeCall(positional, options)}.`);
}

/** Calls one overload off the event loop. */
export async function callOverloadAsync(overload: Overload, args: unknown[]): Promise<unknown> {
  const { plan, values } = planFor(overload, withNumbersAsTensors(overload, args));
  const raw = await native().callAsync(plan.overload.number, ...flatten(overload, values));
  return wrapAll(overload, raw, values);
}

/** The overload of a full name such as `aten::add.Tensor`. */
export function overloadOf(fullName: string): Overload {
  if (typeof fullName !== 'string')
    throw new ArgumentError(`An operator has a name such as aten::add.Tensor, not ${describeValue(fullName)}.`);
  const [, name = fullName, overload = ''] = fullName.match(/^([^.]+)\.?(.*)$/) ?? [];
  return load(name, overload);
}

let byName: Map<string, string[]> | undefined;

function overloadNames(name: string): string[] {
  if (!byName) {
    byName = new Map();
    for (const full of native().operatorNames()) {
      const [base = full, overload = ''] = full.split('.');
      const known = byName.get(base);
      if (known) known.push(overload);
      else byName.set(base, [overload]);
    }
  }
  const overloads = byName.get(name);
  if (!overloads) throw new ArgumentError(`This libtorch has no operator ${name}.`);
  return overloads.sort();
}

function load(name: string, overload: string): Overload {
  const number = native().resolve(name, overload);
  const schema = native().schema(number);
  const parameters = schema.arguments.map(parameterOf);
  const written = parameters.flatMap((parameter, i) => (parameter.written ? [i] : []));
  const returnsWritten = written.length > 0 && written.length === schema.results.length;
  return {
    number,
    schema,
    parameters,
    positional: parameters.filter((parameter) => !parameter.keywordOnly).length,
    written: returnsWritten ? written : [],
  };
}

/** Positions from which numbers may form a list: the last positional parameter if it is an int list of any length. */
function spreads(overload: Overload, positional: unknown[]): number[] {
  const last = overload.positional - 1;
  const parameter = overload.parameters[last];
  const numbers = positional.slice(last).every((value) => Number.isSafeInteger(value));
  const spread =
    parameter?.list && parameter.kind === 'int' && parameter.size === 0 && positional.length > last && numbers;
  return spread ? [last, -1] : [-1];
}

function gather(positional: unknown[], spreadFrom: number): unknown[] {
  return spreadFrom < 0 ? positional : [...positional.slice(0, spreadFrom), positional.slice(spreadFrom)];
}

/** Cost of an overload for the arguments, lower is better; undefined if it does not fit. */
function costOf(overload: Overload, positional: unknown[], options: Options = {}): number | undefined {
  if (positional.length > overload.positional) return undefined;
  const names = new Set(Object.keys(options));
  let cost = 0;
  for (const [i, parameter] of overload.parameters.entries()) {
    const named = names.delete(parameter.key);
    if (named && i < positional.length) return undefined;
    const value = i < positional.length ? positional[i] : options[parameter.key];
    const fit = match(parameter, value);
    if (fit === undefined) return undefined;
    cost += fit;
  }
  return names.size === 0 ? cost : undefined;
}

function run(plan: Plan, args: unknown[]): unknown {
  const { overload } = plan;
  if (plan.direct) {
    const handles = (args as Tensor[]).map((tensor) => tensor.handle);
    return wrapAll(overload, native().call(overload.number, ...handles), args);
  }
  const values = valuesOf(plan, args);
  return wrapAll(overload, native().call(overload.number, ...flatten(overload, values)), values);
}

/** The value of each parameter. */
function valuesOf({ overload, spreadFrom, withOptions }: Plan, args: unknown[]): unknown[] {
  const options = withOptions ? (args.at(-1) as Options) : undefined;
  const positional = gather(options ? args.slice(0, -1) : args, spreadFrom);
  return overload.parameters.map((parameter, i) => (i < positional.length ? positional[i] : options?.[parameter.key]));
}

function flatten(overload: Overload, values: unknown[]): Flat[] {
  const flat: Flat[] = [];
  for (const [i, parameter] of overload.parameters.entries()) encode(parameter, values[i], flat, overload.schema.name);
  while (flat.length > 0 && flat.at(-1) === undefined) flat.pop();
  return flat;
}

function signature(overload: Overload): string {
  const parameters = overload.parameters.map(({ type, key, hasDefault }) => `${type} ${key}${hasDefault ? '?' : ''}`);
  return `${overload.schema.name}(${parameters.join(', ')})`;
}

function describeCall(positional: unknown[], options: Options = {}): string {
  const named = Object.entries(options).map(([name, value]) => `${name}: ${describeValue(value)}`);
  return `(${[...positional.map((value) => describeValue(value)), ...named].join(', ')})`;
}

function noOverload(operator: Operator, positional: unknown[], options?: Options): string {
  const candidates = operator.all().filter((overload) => !overload.parameters.some((parameter) => parameter.out));
  const lines = candidates.slice(0, 6).map((overload) => `  ${signature(overload)}`);
  if (candidates.length > 6) lines.push(`  and ${candidates.length - 6} more`);
  return `${operator.name} does not take ${describeCall(positional, options)}. It takes:\n${lines.join('\n')}`;
}
