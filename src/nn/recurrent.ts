import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { uniform_ } from './init.js';
import { Module } from './module.js';
import { PackedSequence } from './packed-sequence.js';
import { Parameter } from './parameter.js';

const recurrentKinds: Kinds<RecurrentOptions> = {
  numLayers: 'number',
  bias: 'boolean',
  batchFirst: 'boolean',
  dropout: 'number',
  bidirectional: 'boolean',
};
const rnnKinds = { ...recurrentKinds, nonlinearity: ['tanh', 'relu'] };
const lstmKinds = { ...recurrentKinds, projSize: 'number' } as const;

/** Options of {@link RNN}, {@link GRU} and {@link LSTM}. */
export interface RecurrentOptions {
  /** Number of stacked layers. Default 1. */
  numLayers?: number;
  /** Default true. */
  bias?: boolean;
  /** Inputs are [N, L, inputSize] instead of [L, N, inputSize]. Default false. */
  batchFirst?: boolean;
  /** Dropout probability between the layers, in training mode. Default 0. */
  dropout?: number;
  /** Also reads backwards, and concatenates both results. Default false. */
  bidirectional?: boolean;
}

/**
 * Several layers of one recurrence, with the parameter names of PyTorch: weight_ih_l0, weight_hh_l0, bias_ih_l0,
 * bias_hh_l0, ...
 */
abstract class Recurrent extends Module {
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly #weights: Parameter[] = [];

  /**
   * @param gates rows of a weight, in multiples of the hidden size
   * @param projSize width of the hidden state; 0: the hidden size
   */
  constructor(
    readonly inputSize: number,
    readonly hiddenSize: number,
    gates: number,
    { numLayers = 1, bias = true, batchFirst = false, dropout = 0, bidirectional = false }: RecurrentOptions,
    readonly projSize = 0,
  ) {
    super();
    if (projSize < 0 || projSize >= hiddenSize)
      throw new ConfigError(`projSize ${projSize} must be from 0 to below hiddenSize ${hiddenSize}.`);
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    for (let layer = 0; layer < numLayers; layer++) {
      for (const suffix of bidirectional ? ['', '_reverse'] : ['']) this.addLayer(`l${layer}${suffix}`, layer, gates);
    }
    this.resetParameters();
  }

  private addLayer(name: string, layer: number, gates: number): void {
    const state = this.projSize || this.hiddenSize;
    const width = layer === 0 ? this.inputSize : state * (this.bidirectional ? 2 : 1);
    const rows = gates * this.hiddenSize;
    const add = (kind: string, shape: number[]) => {
      const parameter = new Parameter(torch.empty(shape));
      this.#weights.push(parameter);
      (this as unknown as Record<string, Parameter>)[`${kind}_${name}`] = parameter;
    };
    add('weight_ih', [rows, width]);
    add('weight_hh', [rows, state]);
    if (this.bias) add('bias_ih', [rows]);
    if (this.bias) add('bias_hh', [rows]);
    if (this.projSize > 0) add('weight_hr', [this.projSize, this.hiddenSize]);
  }

  resetParameters(): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const weight of this.#weights) uniform_(weight, -bound, bound);
  }

  /**
   * Runs one of libtorch's recurrent operators, which are alike, on padded or packed sequences. States are in the order
   * of the batch, zeros by default with these widths.
   */
  protected run(run: RecurrentOperator, x: Tensor | PackedSequence, states: (Tensor | undefined)[], widths: number[]) {
    const packed = x instanceof PackedSequence ? x : undefined;
    const data = packed?.data ?? (x as Tensor);
    this.check(data, packed ? 2 : 3);
    const { bias, numLayers, dropout, training, bidirectional, batchFirst } = this;
    const count = packed ? Number(packed.batchSizes.select(0, 0).item()) : data.shape[batchFirst ? 0 : 1];
    const [sort, unsort] = [packed?.sortedIndices, packed?.unsortedIndices];
    const first = widths.map((width, i) => {
      const state = states[i];
      if (state) return sort ? state.indexSelect(1, sort) : state;
      const shape = [numLayers * (bidirectional ? 2 : 1), count as number, width];
      return torch.zeros(shape, { dtype: data.dtype, device: data.device });
    });
    const state = first.length === 1 ? first[0] : first;
    const rest = [state, this.#weights, bias, numLayers, dropout, training, bidirectional];
    const [output, ...last] = packed ? run(data, packed.batchSizes, ...rest) : run(data, ...rest, batchFirst);
    const ends = unsort ? last.map((end) => end.indexSelect(1, unsort)) : last;
    return { output: packed ? packed.with(output) : output, ends };
  }

  private check(x: Tensor, ndim: number): void {
    checkCall(`${this.constructor.name}.forward`, ['input: tensor'], undefined, [x]);
    if (x.ndim === ndim && x.shape.at(-1) === this.inputSize) return;
    const order = ndim === 2 ? 'a packed [n' : this.batchFirst ? '[N, L' : '[L, N';
    throw new ArgumentError(
      `${this.constructor.name} takes ${order}, ${this.inputSize}], not [${x.shape.join(', ')}]; add a dimension for a single sequence.`,
    );
  }
}

type RecurrentOperator = (...args: unknown[]) => [Tensor, ...Tensor[]];

/** Elman's recurrence: h = tanh(W_ih x + b_ih + W_hh h + b_hh). */
export class RNN extends Recurrent {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(
    inputSize: number,
    hiddenSize: number,
    options: RecurrentOptions & { /** Default `tanh`. */ nonlinearity?: 'tanh' | 'relu' } = {},
  ) {
    checkCall('new nn.RNN', ['inputSize: number', 'hiddenSize: number'], rnnKinds, arguments);
    const { nonlinearity = 'tanh', ...rest } = options;
    super(inputSize, hiddenSize, 1, rest);
    this.nonlinearity = nonlinearity;
  }

  /**
   * Results [L, N, D * hiddenSize] of the last layer, and the last state [layers * D, N, hiddenSize]. Packed sequences
   * have packed results.
   */
  forward<X extends Tensor | PackedSequence>(x: X, state?: Tensor): [Alike<X>, Tensor] {
    const operator = (this.nonlinearity === 'tanh' ? torch.rnnTanh : torch.rnnRelu) as RecurrentOperator;
    const { output, ends } = this.run(operator, x, [state], [this.hiddenSize]);
    return [output as Alike<X>, ends[0] as Tensor];
  }
}

/** Gated recurrent unit. */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    checkCall('new nn.GRU', ['inputSize: number', 'hiddenSize: number'], recurrentKinds, arguments);
    super(inputSize, hiddenSize, 3, options);
  }

  /**
   * Results [L, N, D * hiddenSize] of the last layer, and the last state [layers * D, N, hiddenSize]. Packed sequences
   * have packed results.
   */
  forward<X extends Tensor | PackedSequence>(x: X, state?: Tensor): [Alike<X>, Tensor] {
    const { output, ends } = this.run(torch.gru as RecurrentOperator, x, [state], [this.hiddenSize]);
    return [output as Alike<X>, ends[0] as Tensor];
  }
}

/** Long short-term memory; `projSize` projects the hidden state to that width. */
export class LSTM extends Recurrent {
  constructor(
    inputSize: number,
    hiddenSize: number,
    options: RecurrentOptions & { /** Default 0: none. */ projSize?: number } = {},
  ) {
    checkCall('new nn.LSTM', ['inputSize: number', 'hiddenSize: number'], lstmKinds, arguments);
    const { projSize = 0, ...rest } = options;
    super(inputSize, hiddenSize, 4, rest, projSize);
  }

  /**
   * Results [L, N, D * width] of the last layer, and the last hidden and cell states. Packed sequences have packed
   * results.
   */
  forward<X extends Tensor | PackedSequence>(x: X, state?: [h: Tensor, c: Tensor]): [Alike<X>, [h: Tensor, c: Tensor]] {
    const widths = [this.projSize || this.hiddenSize, this.hiddenSize];
    const { output, ends } = this.run(torch.lstm as RecurrentOperator, x, [state?.[0], state?.[1]], widths);
    return [output as Alike<X>, [ends[0] as Tensor, ends[1] as Tensor]];
  }
}

/** Packed for packed input, a tensor for a tensor. */
type Alike<X> = X extends PackedSequence ? PackedSequence : Tensor;
