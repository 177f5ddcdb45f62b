/** Multi-head attention as a function of its weights. */
import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

/** Options of one call of attention. */
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

/** What attention computes with, next to the inputs. */
export interface Attention extends AttentionCall {
  numHeads: number;
  /** Projections of query, key and value, and of the result. */
  project: [q: Projection, k: Projection, v: Projection, out: Projection];
  dropoutP: number;
  training: boolean;
}

type Projection = (x: Tensor) => Tensor;

/** query [N, L, ...], key and value [N, S, ...] -> the attended values [N, L, E], and the weights or null. */
export function attend(query: Tensor, key: Tensor, value: Tensor, by: Attention): [Tensor, Tensor | null] {
  const { numHeads, project, dropoutP, training, needWeights = true, averageAttnWeights = true } = by;
  const heads = (x: Tensor) => x.reshape([x.shape[0] as number, x.shape[1] as number, numHeads, -1]).transpose(1, 2);
  const join = (x: Tensor) => project[3](x.transpose(1, 2).flatten(2));
  const [q, k, v] = [query, key, value].map((x, i) => heads((project[i] as Projection)(x))) as Triple;
  const mask = maskFor(q, k, by);
  if (!needWeights) return [join(torch.scaledDotProductAttention(q, k, v, mask, training ? dropoutP : 0)), null];
  const scores = q.mul(1 / Math.sqrt(q.shape[3] as number)).matmul(k.transpose(2, 3));
  const weights = torch.dropout((mask ? scores.add(mask) : scores).softmax(3), dropoutP, training);
  return [join(weights.matmul(v)), averageAttnWeights ? weights.mean(1) : weights];
}

/** Combines both masks into one that is added to the scores [N, heads, L, S]. */
function maskFor(q: Tensor, k: Tensor, { attnMask, keyPaddingMask }: AttentionCall): Tensor | null {
  const [n = 0, heads = 0, length = 0] = q.shape;
  const keys = k.shape[2] as number;
  const added = (mask: Tensor) =>
    mask.dtype === 'bool' ? torch.zerosLike(mask, { dtype: q.dtype }).maskedFill(mask, Number.NEGATIVE_INFINITY) : mask;
  const parts: Tensor[] = [];
  if (attnMask) parts.push(attnMask.ndim === 3 ? added(attnMask).reshape([n, heads, length, keys]) : added(attnMask));
  if (keyPaddingMask) parts.push(added(keyPaddingMask).reshape([n, 1, 1, keys]));
  const [first, second] = parts;
  return first && second ? first.add(second) : (first ?? null);
}

type Triple = [Tensor, Tensor, Tensor];

/** Weights and options of {@link multiHeadAttentionForward}. */
export interface AttentionForwardOptions extends AttentionCall {
  /** The weights of query, key and value, [3 E, E], or one each. */
  inProjWeight: Tensor | [q: Tensor, k: Tensor, v: Tensor];
  /** [3 E]. Default null. */
  inProjBias?: Tensor | null;
  /** [E, E] */
  outProjWeight: Tensor;
  /** [E]. Default null. */
  outProjBias?: Tensor | null;
  /** Dropout probability of the attention weights. Default 0. */
  dropoutP?: number;
  /** Default true. */
  training?: boolean;
}

const kinds: Kinds<AttentionForwardOptions> = {
  inProjWeight: 'any',
  inProjBias: 'any',
  outProjWeight: 'any',
  outProjBias: 'any',
  dropoutP: 'number',
  training: 'boolean',
  keyPaddingMask: 'any',
  needWeights: 'boolean',
  attnMask: 'any',
  averageAttnWeights: 'boolean',
};

/**
 * Multi-head attention with weights of your own: query [L, N, E], key and value [S, N, ...] -> the attended values
 * [L, N, E], and the weights [N, L, S] ([N, heads, L, S] where they are not averaged), or null. Throws ConfigError if E
 * is no multiple of numHeads.
 */
export function multiHeadAttentionForward(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  numHeads: number,
  options: AttentionForwardOptions,
): [Tensor, Tensor | null] {
  const given = ['query: tensor', 'key: tensor', 'value: tensor', 'numHeads: number'];
  checkCall('multiHeadAttentionForward', given, kinds, arguments, ['inProjWeight', 'outProjWeight']);
  const { inProjWeight, inProjBias, outProjWeight, outProjBias = null, dropoutP = 0, training = true } = options;
  const width = query.shape.at(-1) as number;
  if (query.ndim !== 3) throw new ArgumentError(`query must be [L, N, E], not [${query.shape.join(', ')}].`);
  if (width % numHeads !== 0) throw new ConfigError(`E ${width} must be a multiple of numHeads ${numHeads}.`);
  const weights = Array.isArray(inProjWeight) ? inProjWeight : inProjWeight.chunk(3);
  const biases = inProjBias?.chunk(3) ?? [null, null, null];
  const linear = (weight: Tensor, bias: Tensor | null) => (x: Tensor) => torch.linear(x, weight, bias);
  const [q, k, v] = weights.map((weight, i) => linear(weight, biases[i] ?? null)) as [
    Projection,
    Projection,
    Projection,
  ];
  const inner = (x: Tensor) => x.transpose(0, 1);
  const project: Attention['project'] = [q, k, v, linear(outProjWeight, outProjBias)];
  const by: Attention = { ...options, numHeads, dropoutP, training, project };
  const [attended, shares] = attend(inner(query), inner(key), inner(value), by);
  return [inner(attended), shares];
}
