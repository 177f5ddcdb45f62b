import {
  callOverload,
  functions,
  keep,
  noGrad,
  overloadOf,
  scope,
  type Tensor,
  type TensorHolder,
  TensorList,
  uncloneable,
} from '../tensor/index.js';

let current: HalfWeights | undefined;

/**
 * Copies of weights in half precision, for convolutions and linear layers under autocast, which would otherwise cast
 * each weight in each pass. Call {@link update} after changing the weights. Results are those of autocast.
 */
export class HalfWeights implements TensorHolder {
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;
  readonly #copies = new Map<Tensor, Tensor>();
  #lists: { weights: TensorList; copies: TensorList } | undefined;

  constructor(readonly dtype: 'bfloat16' | 'float16') {}

  /** Runs `body`, a synchronous function, with the copies; each copy is made at its first use. */
  within<T>(body: () => T): T {
    const before = current;
    current = this;
    try {
      return body();
    } finally {
      current = before;
    }
  }

  /** @internal */
  of(weight: Tensor): Tensor {
    const copy = this.copyFor(weight);
    return copy === weight ? weight : (callOverload(overloadOf('srrl::narrowed'), [weight, copy]) as Tensor);
  }

  /** The copy of a weight, without gradient; the weight itself if it has no copy. @internal */
  copyFor(weight: Tensor): Tensor {
    if (weight.dtype !== 'float32' || !weight.requiresGrad || !weight.isLeaf) return weight;
    return this.#copies.get(weight) ?? this.#add(weight);
  }

  /** The copy of a weight, for a step that writes both; undefined if there is none. */
  copyOf(weight: Tensor): Tensor | undefined {
    return this.#copies.get(weight);
  }

  #add(weight: Tensor): Tensor {
    const copy = scope(() => keep(noGrad(() => weight.detach().to({ dtype: this.dtype, copy: true }))));
    this.#copies.set(weight, copy);
    this.#disposeLists();
    return copy;
  }

  /** Updates the copies to the current values of the weights. */
  update(): void {
    if (this.#copies.size === 0) return;
    this.#lists ??= {
      weights: new TensorList([...this.#copies.keys()]),
      copies: new TensorList([...this.#copies.values()]),
    };
    const { weights, copies } = this.#lists;
    noGrad(() => functions._foreachCopy_(copies, weights));
  }

  heldTensors(): Iterable<Tensor> {
    return this.#copies.values();
  }

  #disposeLists(): void {
    this.#lists?.weights.dispose();
    this.#lists?.copies.dispose();
    this.#lists = undefined;
  }

  dispose(): void {
    this.#disposeLists();
    for (const copy of this.#copies.values()) copy.dispose();
    this.#copies.clear();
  }
}

/** Returns the tensor that a layer computes with: its parameter, or the parameter's copy in half precision. */
export const inUse = <T extends Tensor | null>(parameter: T): Tensor | T =>
  current && parameter ? current.of(parameter) : parameter;

/** Returns a parameter's copy in half precision, without gradient, or the parameter if it has none. */
export const copyInUse = <T extends Tensor | null>(parameter: T): Tensor | T =>
  current && parameter ? current.copyFor(parameter) : parameter;
