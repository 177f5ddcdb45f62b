import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { uniform_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

/** Options of {@link LSTMCell} and {@link GRUCell}. */
export interface CellOptions {
  /** Default true. */
  bias?: boolean;
}

/** Options of {@link RNNCell}. */
export interface RNNCellOptions extends CellOptions {
  /** Default `tanh`. */
  nonlinearity?: 'tanh' | 'relu';
}

const kinds: Kinds<CellOptions> = { bias: 'boolean' };
const rnnKinds: Kinds<RNNCellOptions> = { bias: 'boolean', nonlinearity: ['tanh', 'relu'] };
const sizes = ['inputSize: number', 'hiddenSize: number'];

/** One step of a recurrence, with the parameter names of PyTorch. */
abstract class RecurrentCell extends Module {
  readonly weight_ih: Parameter;
  readonly weight_hh: Parameter;
  readonly bias_ih: Parameter | null;
  readonly bias_hh: Parameter | null;

  /** @param gates rows of a weight, in multiples of the hidden size */
  constructor(
    readonly inputSize: number,
    readonly hiddenSize: number,
    gates: number,
    { bias = true }: CellOptions,
  ) {
    super();
    const rows = gates * hiddenSize;
    this.weight_ih = new Parameter(torch.empty([rows, inputSize]));
    this.weight_hh = new Parameter(torch.empty([rows, hiddenSize]));
    this.bias_ih = bias ? new Parameter(torch.empty([rows])) : null;
    this.bias_hh = bias ? new Parameter(torch.empty([rows])) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  protected weights(): [Tensor, Tensor, Tensor | null, Tensor | null] {
    return [this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh];
  }

  /** The input and the states as batches, zeros by default; a single input becomes a batch of one. */
  protected batched(x: Tensor, states: (Tensor | undefined)[]): Tensor[] {
    const width = x.shape.at(-1);
    if (x.ndim > 2 || width !== this.inputSize)
      throw new ArgumentError(
        `${this.constructor.name} takes [N, ${this.inputSize}] or [${this.inputSize}], not [${x.shape.join(', ')}].`,
      );
    const rows = x.ndim === 1 ? x.unsqueeze(0) : x;
    const n = rows.shape[0] as number;
    return [rows, ...states].map((state) => {
      if (!state) return torch.zeros([n, this.hiddenSize], { dtype: x.dtype, device: x.device });
      return state.ndim === 1 ? state.unsqueeze(0) : state;
    });
  }
}

/** One step of Elman's recurrence: h' = tanh(W_ih x + b_ih + W_hh h + b_hh). */
export class RNNCell extends RecurrentCell {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    checkCall('new nn.RNNCell', sizes, rnnKinds, arguments);
    super(inputSize, hiddenSize, 1, options);
    this.nonlinearity = options.nonlinearity ?? 'tanh';
  }

  /** [N, inputSize] and the state [N, hiddenSize], zeros by default -> the next state. */
  forward(x: Tensor, state?: Tensor): Tensor {
    const [input, h] = this.batched(x, [state]) as [Tensor, Tensor];
    const step = this.nonlinearity === 'tanh' ? torch.rnnTanhCell : torch.rnnReluCell;
    const next = step(input, h, ...this.weights());
    return x.ndim === 1 ? next.squeeze(0) : next;
  }
}

/** One step of a gated recurrent unit. */
export class GRUCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    checkCall('new nn.GRUCell', sizes, kinds, arguments);
    super(inputSize, hiddenSize, 3, options);
  }

  /** [N, inputSize] and the state [N, hiddenSize], zeros by default -> the next state. */
  forward(x: Tensor, state?: Tensor): Tensor {
    const [input, h] = this.batched(x, [state]) as [Tensor, Tensor];
    const next = torch.gruCell(input, h, ...this.weights());
    return x.ndim === 1 ? next.squeeze(0) : next;
  }
}

/** One step of long short-term memory. */
export class LSTMCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    checkCall('new nn.LSTMCell', sizes, kinds, arguments);
    super(inputSize, hiddenSize, 4, options);
  }

  /** [N, inputSize] and the states [N, hiddenSize], zeros by default -> the next hidden and cell states. */
  forward(x: Tensor, state?: [h: Tensor, c: Tensor]): [h: Tensor, c: Tensor] {
    const [input, h, c] = this.batched(x, [state?.[0], state?.[1]]) as [Tensor, Tensor, Tensor];
    const [hidden, cell] = torch.lstmCell(input, [h, c], ...this.weights());
    return x.ndim === 1 ? [hidden.squeeze(0), cell.squeeze(0)] : [hidden, cell];
  }
}
