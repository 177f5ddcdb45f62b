import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { native } from '../native.js';
import { keep, noGrad, scope, type Tensor, type TensorHolder, TensorList, uncloneable } from '../tensor/index.js';
import type { DeviceStep } from './device-step.js';
import { checkOptionsOfGroup, type Group, groupsOf, type ParameterGroup } from './groups.js';
import { checkFits, copyFor, initialState, type OptimizerState, type ParameterState } from './state.js';

export type { Group, ParameterGroup } from './groups.js';

/** A subset of a group's parameters that have gradients, with what is kept for them, as lists on the native side. */
export interface Bucket {
  params: TensorList;
  state: Map<string, TensorList>;
  members: Tensor[];
}

/** Inputs of a step: parameters, their gradients and their state, in the same order. */
export interface Lists {
  members: Tensor[];
  params: TensorList;
  gradients: TensorList;
  /** A state tensor of each parameter, by name. */
  state(name: string): TensorList;
}

/**
 * The base of all optimizers: parameter groups, per-parameter state, and lists of both on the native side, so that a
 * step is one operator call over all parameters.
 */
export abstract class Optimizer<Options extends { lr: number }> implements TensorHolder {
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;
  readonly paramGroups: Group<Options>[];
  /** Options of groups that do not have their own. */
  readonly defaults: Options;
  readonly state = new Map<Tensor, ParameterState>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #kinds = new Map<Tensor, string>();
  readonly #optionKinds: Kinds<Options> | undefined;
  /** Whether the step is one of libtorch's fused operators, which traverse tensors in memory order. */
  protected readonly fused: boolean = false;
  /** Whether a step on the device scales gradients and moves averages as well. @internal */
  readonly endsStep: boolean = false;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<Options>>, defaults: Options, kinds?: Kinds<Options>) {
    const groups = groupsOf(`new optim.${new.target.name}`, params, kinds);
    this.defaults = defaults;
    this.#optionKinds = kinds;
    this.paramGroups = groups.map((group) => this.complete(group));
    const all = this.paramGroups.flatMap((group) => group.params);
    if (all.length === 0) throw new ConfigError('The optimizer received no parameters.');
    if (new Set(all).size !== all.length) throw new ConfigError('A parameter is in the optimizer twice.');
  }

  /** A group with all options and its own array of parameters, checked. */
  private complete(group: ParameterGroup<Options>): Group<Options> {
    const complete = { ...this.defaults, ...group, params: [...group.params] };
    const name = `new optim.${this.constructor.name}`;
    for (const param of complete.params) checkCall(name, ['parameter: tensor'], undefined, [param]);
    if (!(complete.lr >= 0)) throw new ConfigError(`lr must be at least 0, not ${complete.lr}.`);
    this.checkGroup(complete);
    return complete;
  }

  /** Throws ConfigError if options of a group are out of range; `lr` has been checked. */
  protected checkGroup(_group: Group<Options>): void {}

  /**
   * Adds parameters with options of their own, such as layers that are trained later. A schedule that exists already
   * does not change their learning rate. Throws ConfigError if a parameter is already in the optimizer, or an option is
   * unknown or out of range; nothing is then changed.
   */
  addParamGroup(group: ParameterGroup<Options>): void {
    const name = `${this.constructor.name}.addParamGroup`;
    checkCall(name, ['group: object'], undefined, arguments);
    if (this.#optionKinds) checkOptionsOfGroup(name, group, this.#optionKinds);
    const complete = this.complete(group);
    const all = [...this.paramGroups, complete].flatMap(({ params }) => params);
    if (complete.params.length === 0) throw new ConfigError('The group has no parameters.');
    if (new Set(all).size !== all.length) throw new ConfigError('A parameter is in the optimizer twice.');
    this.paramGroups.push(complete);
  }

  /** Updates the parameters from their gradients; parameters without one stay as they are. */
  abstract step(onDevice?: DeviceStep): void;

  /** Sets all gradients to none. */
  zeroGrad(): void {
    for (const [i, group] of this.paramGroups.entries()) {
      native().clearGrads(this.bucket(`all ${i}`, group.params, []).params.handle);
    }
  }

  *heldTensors(): Generator<Tensor> {
    for (const state of this.state.values()) {
      for (const value of Object.values(state)) if (typeof value !== 'number') yield value;
    }
  }

  /**
   * The parameters of group `index` that have gradients, in buckets of equal stage. `prepare` makes what state a
   * parameter lacks and names its stage (such as: this is its first step), or returns undefined to skip it; `names` are
   * the state tensors that the step needs as lists.
   */
  protected ready(
    index: number,
    prepare: (param: Tensor) => string | undefined,
    names: string[],
  ): { stage: string; bucket: Bucket }[] {
    const { params } = this.paramGroups[index] as Group<Options>;
    const everything = this.bucket(`all ${index}`, params, []);
    const have = native().haveGrads(everything.params.handle);
    const byStage = new Map<string, Tensor[]>();
    for (const [i, param] of params.entries()) {
      if (!have[i]) continue;
      const stage = prepare(param);
      if (stage === undefined) continue;
      // The fused operators take one dtype and one device at a time.
      const key = `${stage}|${this.kindOf(param)}`;
      const members = byStage.get(key);
      if (members) members.push(param);
      else byStage.set(key, [param]);
    }
    return [...byStage].map(([key, members]) => {
      const which = members.length === params.length ? 'all' : members.map((member) => params.indexOf(member)).join();
      const stage = key.slice(0, key.indexOf('|'));
      return { stage, bucket: this.bucket(`${key} ${index} ${which}`, members, names) };
    });
  }

  private kindOf(param: Tensor): string {
    let kind = this.#kinds.get(param);
    if (kind === undefined) {
      kind = `${param.dtype} ${param.device}`;
      this.#kinds.set(param, kind);
    }
    return kind;
  }

  /** Calls `update` for each group without recording gradients, and frees the temporary tensors. */
  protected forEachGroup(update: (group: Group<Options>, index: number) => void): void {
    noGrad(() =>
      scope(() => {
        for (const [index, group] of this.paramGroups.entries()) update(group, index);
      }),
    );
  }

  /**
   * Calls `update` with those parameters of group `index` that have gradients and are `wanted`. State tensors of
   * `names` that a parameter lacks begin at zero, or at `initial`: in the parameter's form, but what is one number for a
   * parameter, such as `step`, in float32.
   */
  protected forEachReady(
    index: number,
    names: string[],
    update: (lists: Lists) => void,
    initial: Readonly<Record<string, number | ((param: Tensor) => Tensor)>> = {},
    wanted: (param: Tensor) => boolean = () => true,
  ): void {
    const stage = names.join();
    const prepare = (param: Tensor) => {
      if (!wanted(param)) return undefined;
      for (const name of names) {
        if (this.state.get(param)?.[name] === undefined)
          this.remember(param, name, initialState(param, name, initial[name]));
      }
      return stage;
    };
    for (const { bucket } of this.ready(index, prepare, names)) {
      const gradients = TensorList.gradients(bucket.params, this.fused ? 'fused' : 'read');
      try {
        const { members, params, state } = bucket;
        update({ members, params, gradients, state: (name) => state.get(name) as TensorList });
      } finally {
        gradients.dispose();
      }
    }
  }

  private bucket(key: string, members: Tensor[], names: string[]): Bucket {
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      const listOf = (name: string) =>
        new TensorList(members.map((member) => this.state.get(member)?.[name] as Tensor));
      bucket = { members, params: new TensorList(members), state: new Map(names.map((name) => [name, listOf(name)])) };
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  /** Keeps a tensor in the state of a parameter. */
  protected remember(param: Tensor, name: string, value: Tensor | number): void {
    const state = this.state.get(param) ?? {};
    state[name] = typeof value === 'number' ? value : keep(value);
    this.state.set(param, state);
  }

  /**
   * Options and state by number of parameter, as torch.optim's state_dict. The tensors share the optimizer's memory.
   */
  stateDict(): OptimizerState<Options> {
    const params = this.paramGroups.flatMap((group) => group.params);
    let next = 0;
    return {
      state: Object.fromEntries(
        params.flatMap((param, i) => (this.state.has(param) ? [[i, { ...this.state.get(param) }]] : [])),
      ),
      paramGroups: this.paramGroups.map((group) => ({ ...group, params: group.params.map(() => next++) })),
    };
  }

  /**
   * Takes over options and copies of the state, in the parameters' dtype (but `step`) and on their devices. Throws
   * ConfigError where groups or their sizes differ, or the state names a parameter that is not there.
   */
  loadStateDict(saved: OptimizerState<Options>): void {
    checkCall('loadStateDict', ['state: object'], undefined, arguments);
    const { state, paramGroups } = saved;
    checkFits(saved, this.paramGroups);
    const params = this.paramGroups.flatMap((group) => group.params);
    for (const [i, saved] of paramGroups.entries()) {
      const { params: _numbers, ...options } = saved;
      Object.assign(this.paramGroups[i] as Group<Options>, options);
    }
    this.forget();
    for (const [i, kept] of Object.entries(state)) {
      const param = params[Number(i)] as Tensor;
      for (const [name, value] of Object.entries(kept)) {
        this.remember(param, name, typeof value === 'number' ? value : copyFor(param, name, value));
      }
    }
  }

  private forget(): void {
    for (const tensor of this.heldTensors()) tensor.dispose();
    this.state.clear();
    this.#kinds.clear();
    this.disposeBuckets();
  }

  private disposeBuckets(): void {
    for (const { params, state } of this.#buckets.values())
      for (const list of [params, ...state.values()]) list.dispose();
    this.#buckets.clear();
  }

  /** Frees the state; the parameters stay. */
  dispose(): void {
    this.forget();
  }
}
