import { checkCall, checkOptions, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { native } from '../native.js';
import { keep, noGrad, scope, type Tensor, type TensorHolder, TensorList, uncloneable } from '../tensor/index.js';
import type { DeviceStep } from './device-step.js';
import { copyFor, initialState, type OptimizerState, type ParameterState } from './state.js';

/** Parameters with options of their own, instead of the optimizer's. */
export type ParameterGroup<Options> = { params: Iterable<Tensor> } & Partial<Options>;

/**
 * A group with all its options, and its parameters as an array; `initialLr` is set by the first schedule that it gets.
 */
export type Group<Options> = Options & { params: Tensor[]; initialLr?: number };

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
  readonly state = new Map<Tensor, ParameterState>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #kinds = new Map<Tensor, string>();
  /** Whether the step is one of libtorch's fused operators, which traverse tensors in memory order. */
  protected readonly fused: boolean = false;
  /** Whether a step on the device scales gradients and moves averages as well. @internal */
  readonly endsStep: boolean = false;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<Options>>, defaults: Options, kinds?: Kinds<Options>) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], undefined, [params]);
    const given = [...(params as Iterable<Tensor | ParameterGroup<Options>>)];
    for (const item of given) checkCall(`new optim.${new.target.name}`, ['parameter: object'], undefined, [item]);
    const grouped = given.some((item) => 'params' in item);
    const groups = grouped
      ? (given as ParameterGroup<Options>[])
      : [{ params: given as Tensor[] } as unknown as ParameterGroup<Options>];
    if (grouped && kinds) for (const group of groups) checkGroup(`new optim.${new.target.name}`, group, kinds);
    this.paramGroups = groups.map((group) => ({ ...defaults, ...group, params: [...group.params] }));
    const all = this.paramGroups.flatMap((group) => group.params);
    if (all.length === 0) throw new ConfigError('The optimizer received no parameters.');
    if (new Set(all).size !== all.length) throw new ConfigError('A parameter is in the optimizer twice.');
    for (const group of this.paramGroups)
      if (!(group.lr >= 0)) throw new ConfigError(`lr must be at least 0, not ${group.lr}.`);
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
   * parameter lacks and names its stage (such as: this is its first step); `names` are the state tensors that the step
   * needs as lists.
   */
  protected ready(
    index: number,
    prepare: (param: Tensor) => string,
    names: string[],
  ): { stage: string; bucket: Bucket }[] {
    const { params } = this.paramGroups[index] as Group<Options>;
    const everything = this.bucket(`all ${index}`, params, []);
    const have = native().haveGrads(everything.params.handle);
    const byStage = new Map<string, Tensor[]>();
    for (const [i, param] of params.entries()) {
      if (!have[i]) continue;
      const stage = prepare(param);
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
   * Calls `update` with those parameters of group `index` that have gradients. State tensors of `names` that a
   * parameter lacks begin at zero, or at `initial`: `step` and `mu_product` as a number in float32, any other in the
   * parameter's form.
   */
  protected forEachReady(
    index: number,
    names: string[],
    update: (lists: Lists) => void,
    initial: Readonly<Record<string, number>> = {},
  ): void {
    const stage = names.join();
    const prepare = (param: Tensor) => {
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
    checkCall('loadStateDict', ['paramGroups: list'], undefined, [paramGroups]);
    const sizes = (groups: { params: unknown[] }[]) => groups.map((group) => group.params.length).join();
    if (sizes(paramGroups) !== sizes(this.paramGroups)) {
      throw new ConfigError(
        `The optimizer state has groups of ${sizes(paramGroups)} parameters, the optimizer of ${sizes(this.paramGroups)}.`,
      );
    }
    const params = this.paramGroups.flatMap((group) => group.params);
    const stranger = Object.keys(state).find((number) => params[Number(number)] === undefined);
    if (stranger !== undefined) {
      throw new ConfigError(
        `The optimizer state names parameter ${stranger}, the optimizer has ${params.length}, counted from 0.`,
      );
    }
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

/** Checks a group's options; it may also have a name and the initial learning rate set by a schedule. */
function checkGroup(name: string, group: object, kinds: Kinds<object>): void {
  checkOptions(
    `${name}, a group of parameters`,
    { ...kinds, params: 'any', name: 'string', initialLr: 'number' },
    group,
  );
}
