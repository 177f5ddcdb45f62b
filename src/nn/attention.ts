import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { type Attention, type AttentionCall, attend } from './attention-forward.js';
import { xavierUniform_, zeros_ } from './init.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

const attentionKinds: Kinds<MultiheadAttentionOptions> = {
  dropout: 'number',
  bias: 'boolean',
  kdim: 'number',
  vdim: 'number',
  batchFirst: 'boolean',
};
const callKinds: Kinds<AttentionCall> = {
  keyPaddingMask: 'any',
  needWeights: 'boolean',
  attnMask: 'any',
  averageAttnWeights: 'boolean',
};

export type { AttentionCall } from './attention-forward.js';

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions {
  /** Dropout probability of the attention weights, in training mode. Default 0. */
  dropout?: number;
  /** Default true. */
  bias?: boolean;
  /** Width of keys. Default embedDim. */
  kdim?: number;
  /** Width of values. Default embedDim. */
  vdim?: number;
  /** Inputs are [N, L, E] instead of [L, N, E]. Default false. */
  batchFirst?: boolean;
}

/** Multi-head attention ("Attention Is All You Need"), with the parameters of torch.nn.MultiheadAttention. */
export class MultiheadAttention extends Module {
  readonly q_proj_weight: Parameter | null = null;
  readonly k_proj_weight: Parameter | null = null;
  readonly v_proj_weight: Parameter | null = null;
  readonly in_proj_weight: Parameter | null = null;
  readonly in_proj_bias: Parameter | null;
  readonly out_proj: Linear;
  readonly dropout: number;
  readonly batchFirst: boolean;

  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: MultiheadAttentionOptions = {},
  ) {
    checkCall('new nn.MultiheadAttention', ['embedDim: number', 'numHeads: number'], attentionKinds, arguments);
    const { dropout = 0, bias = true, kdim = embedDim, vdim = embedDim, batchFirst = false } = options;
    super();
    if (embedDim % numHeads !== 0)
      throw new ConfigError(`embedDim ${embedDim} must be a multiple of numHeads ${numHeads}.`);
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    const matrix = (rows: number, width: number) => new Parameter(torch.empty([rows, width]));
    if (kdim === embedDim && vdim === embedDim) this.in_proj_weight = matrix(3 * embedDim, embedDim);
    else {
      this.q_proj_weight = matrix(embedDim, embedDim);
      this.k_proj_weight = matrix(embedDim, kdim);
      this.v_proj_weight = matrix(embedDim, vdim);
    }
    this.in_proj_bias = bias ? new Parameter(torch.empty([3 * embedDim])) : null;
    this.out_proj = new Linear(embedDim, embedDim, { bias });
    this.resetParameters();
  }

  resetParameters(): void {
    for (const weight of [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight])
      if (weight) xavierUniform_(weight);
    if (this.in_proj_bias) zeros_(this.in_proj_bias);
    if (this.out_proj.bias) zeros_(this.out_proj.bias);
  }

  /**
   * query [L, N, E], key [S, N, kdim], value [S, N, vdim], or with `batchFirst` N first -> the attended values, as the
   * query, and the weights [N, L, S] ([N, heads, L, S] where they are not averaged), or null.
   */
  forward(query: Tensor, key: Tensor, value: Tensor, call: AttentionCall = {}): [Tensor, Tensor | null] {
    checkCall('MultiheadAttention.forward', ['query: tensor', 'key: tensor', 'value: tensor'], callKinds, arguments);
    const inner = (x: Tensor) => (this.batchFirst ? x : x.transpose(0, 1));
    const { numHeads, dropout: dropoutP, training } = this;
    const project = [...this.projections(), (x: Tensor) => this.out_proj.forward(x)] as Attention['project'];
    const by: Attention = { ...call, numHeads, dropoutP, training, project };
    const [attended, weights] = attend(inner(query), inner(key), inner(value), by);
    return [inner(attended), weights];
  }

  private projections(): ((x: Tensor) => Tensor)[] {
    const { q_proj_weight: q, k_proj_weight: k, v_proj_weight: v } = this;
    const weights = this.in_proj_weight ? this.in_proj_weight.chunk(3) : [q, k, v];
    const biases = this.in_proj_bias?.chunk(3) ?? [null, null, null];
    return weights.map((weight, i) => (x: Tensor) => torch.linear(x, weight as Tensor, biases[i] ?? null));
  }
}
