import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
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

/** Options of one call of {@link MultiheadAttention}. */
export interface AttentionCall {
  /** [L, S] or [N * heads, L, S]: true masks a key for a query, floats are added to the scores. */
  attnMask?: Tensor | null;
  /** [N, S]: true masks a key, floats are added to the scores. */
  keyPaddingMask?: Tensor | null;
  /** Also returns the weights, which rules out the fast kernel. Default true. */
  needWeights?: boolean;
  /** Averages the weights over the heads. Default true. */
  averageAttnWeights?: boolean;
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
    const { needWeights = true, averageAttnWeights = true } = call;
    const inner = (x: Tensor) => (this.batchFirst ? x : x.transpose(0, 1));
    const [q, k, v] = this.project(inner(query), inner(key), inner(value)).map((x) => this.split(x)) as Triple;
    const mask = this.maskFor(q, k, call);
    const p = this.training ? this.dropout : 0;
    if (!needWeights) return [inner(this.join(torch.scaledDotProductAttention(q, k, v, mask, p))), null];
    const scores = q.mul(1 / Math.sqrt(q.shape[3] as number)).matmul(k.transpose(2, 3));
    const weights = torch.dropout((mask ? scores.add(mask) : scores).softmax(3), p, this.training);
    return [inner(this.join(weights.matmul(v))), averageAttnWeights ? weights.mean(1) : weights];
  }

  private project(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { q_proj_weight: q, k_proj_weight: k, v_proj_weight: v } = this;
    const weights = this.in_proj_weight ? this.in_proj_weight.chunk(3) : [q, k, v];
    const biases = this.in_proj_bias?.chunk(3) ?? [null, null, null];
    return [query, key, value].map((x, i) => torch.linear(x, weights[i] as Tensor, biases[i] ?? null));
  }

  /** [N, L, E] -> [N, heads, L, E / heads] */
  private split(x: Tensor): Tensor {
    const [n = 0, length = 0] = x.shape;
    return x.reshape([n, length, this.numHeads, -1]).transpose(1, 2);
  }

  private join(x: Tensor): Tensor {
    return this.out_proj.forward(x.transpose(1, 2).flatten(2));
  }

  /** Combines both masks into one that is added to the scores [N, heads, L, S]. */
  private maskFor(q: Tensor, k: Tensor, { attnMask, keyPaddingMask }: AttentionCall): Tensor | null {
    const [n = 0, , length = 0] = q.shape;
    const keys = k.shape[2] as number;
    const added = (mask: Tensor) =>
      mask.dtype === 'bool'
        ? torch.zerosLike(mask, { dtype: q.dtype }).maskedFill(mask, Number.NEGATIVE_INFINITY)
        : mask;
    const parts: Tensor[] = [];
    if (attnMask)
      parts.push(attnMask.ndim === 3 ? added(attnMask).reshape([n, this.numHeads, length, keys]) : added(attnMask));
    if (keyPaddingMask) parts.push(added(keyPaddingMask).reshape([n, 1, 1, keys]));
    const [first, second] = parts;
    return first && second ? first.add(second) : (first ?? null);
  }
}

type Triple = [Tensor, Tensor, Tensor];
