/** Layers of the Transformer ("Attention Is All You Need"), with torch.nn's parameters and defaults. */
import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { MultiheadAttention } from './attention.js';
import { ModuleList } from './container.js';
import { Dropout } from './dropout.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { LayerNorm } from './norm.js';

/** Options of the layers. */
export interface TransformerLayerOptions {
  /** Width of the hidden layer of the feed-forward network. Default 2048. */
  dimFeedforward?: number;
  /** Default 0.1. */
  dropout?: number;
  /** Default `relu`. */
  activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor);
  /** Default 1e-5. */
  layerNormEps?: number;
  /** Inputs are [N, L, E] instead of [L, N, E]. Default false. */
  batchFirst?: boolean;
  /** Normalizes before attention and feed-forward network instead of after them. Default false. */
  normFirst?: boolean;
  /** Default true. */
  bias?: boolean;
}

/** @internal */
export const layerKinds: Kinds<TransformerLayerOptions> = {
  dimFeedforward: 'number',
  dropout: 'number',
  activation: 'any',
  layerNormEps: 'number',
  batchFirst: 'boolean',
  normFirst: 'boolean',
  bias: 'boolean',
};

/** Masks of {@link TransformerEncoderLayer} and {@link TransformerEncoder}. */
export interface EncoderMasks {
  /** [L, L] or [N * heads, L, L]: true masks a position, floats are added to the scores. */
  mask?: Tensor | null;
  /** [N, L]: true masks a position. */
  srcKeyPaddingMask?: Tensor | null;
}

/** Masks of {@link TransformerDecoderLayer} and {@link TransformerDecoder}. */
export interface DecoderMasks {
  /** Mask of the target, [T, T]. */
  tgtMask?: Tensor | null;
  /** Mask of the memory, [T, S]. */
  memoryMask?: Tensor | null;
  /** [N, T] */
  tgtKeyPaddingMask?: Tensor | null;
  /** [N, S] */
  memoryKeyPaddingMask?: Tensor | null;
}

const encoderKinds: Kinds<EncoderMasks> = { mask: 'any', srcKeyPaddingMask: 'any' };
const decoderKinds: Kinds<DecoderMasks> = {
  tgtMask: 'any',
  memoryMask: 'any',
  tgtKeyPaddingMask: 'any',
  memoryKeyPaddingMask: 'any',
};

/** Common part of encoder and decoder layers: self-attention and the feed-forward network. */
abstract class TransformerLayer extends Module {
  readonly self_attn: MultiheadAttention;
  /** Cross-attention of a decoder, at its place in PyTorch's state dicts. */
  readonly multihead_attn?: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly norm3?: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly normFirst: boolean;
  protected readonly activation: (x: Tensor) => Tensor;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions, hasMemory: boolean) {
    super();
    const { dimFeedforward = 2048, dropout = 0.1, activation = 'relu', normFirst = false, bias = true } = options;
    this.self_attn = new MultiheadAttention(dModel, nhead, attentionOptions(options));
    if (hasMemory) this.multihead_attn = new MultiheadAttention(dModel, nhead, attentionOptions(options));
    this.linear1 = new Linear(dModel, dimFeedforward, { bias });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias });
    this.norm1 = normOf(dModel, options);
    this.norm2 = normOf(dModel, options);
    if (hasMemory) this.norm3 = normOf(dModel, options);
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = typeof activation === 'function' ? activation : (x) => torch[activation](x);
  }

  /** x + f(x), normalized before or after. */
  protected around(norm: LayerNorm, x: Tensor, f: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(f(norm.forward(x))) : norm.forward(x.add(f(x)));
  }

  protected attend(x: Tensor, attnMask: Tensor | null = null, keyPaddingMask: Tensor | null = null): Tensor {
    const [attended] = this.self_attn.forward(x, x, x, { attnMask, keyPaddingMask, needWeights: false });
    return this.dropout1.forward(attended);
  }

  protected feed(x: Tensor, last: Dropout): Tensor {
    const hidden = this.dropout.forward(this.activation(this.linear1.forward(x)));
    return last.forward(this.linear2.forward(hidden));
  }
}

const attentionOptions = ({ dropout = 0.1, bias = true, batchFirst = false }: TransformerLayerOptions) => ({
  dropout,
  bias,
  batchFirst,
});

const normOf = (dModel: number, { layerNormEps = 1e-5, bias = true }: TransformerLayerOptions): LayerNorm =>
  new LayerNorm(dModel, { eps: layerNormEps, bias });

/** Self-attention and a feed-forward network, as torch.nn.TransformerEncoderLayer. */
export class TransformerEncoderLayer extends TransformerLayer {
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    checkCall('new nn.TransformerEncoderLayer', ['dModel: number', 'nhead: number'], layerKinds, arguments);
    super(dModel, nhead, options, false);
  }

  /** [L, N, E], or [N, L, E] with `batchFirst` -> the same shape. */
  override forward(src: Tensor, masks: EncoderMasks = {}): Tensor {
    checkCall('TransformerEncoderLayer.forward', ['src: tensor'], encoderKinds, arguments);
    const { mask, srcKeyPaddingMask } = masks;
    const attended = this.around(this.norm1, src, (x) => this.attend(x, mask, srcKeyPaddingMask));
    return this.around(this.norm2, attended, (x) => this.feed(x, this.dropout2));
  }
}

/** Self-attention, attention to a memory, and a feed-forward network, as torch.nn.TransformerDecoderLayer. */
export class TransformerDecoderLayer extends TransformerLayer {
  declare readonly multihead_attn: MultiheadAttention;
  declare readonly norm3: LayerNorm;
  readonly dropout3: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    checkCall('new nn.TransformerDecoderLayer', ['dModel: number', 'nhead: number'], layerKinds, arguments);
    super(dModel, nhead, options, true);
    this.dropout3 = new Dropout(options.dropout ?? 0.1);
  }

  /** Target [T, N, E] and memory [S, N, E], or with `batchFirst` N first -> the shape of the target. */
  override forward(tgt: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    checkCall('TransformerDecoderLayer.forward', ['tgt: tensor', 'memory: tensor'], decoderKinds, arguments);
    const { tgtMask, memoryMask = null, tgtKeyPaddingMask, memoryKeyPaddingMask = null } = masks;
    const looking = this.around(this.norm1, tgt, (x) => this.attend(x, tgtMask, tgtKeyPaddingMask));
    const call = { attnMask: memoryMask, keyPaddingMask: memoryKeyPaddingMask, needWeights: false };
    const informed = this.around(this.norm2, looking, (x) =>
      this.dropout2.forward(this.multihead_attn.forward(x, memory, memory, call)[0]),
    );
    return this.around(this.norm3, informed, (x) => this.feed(x, this.dropout3));
  }
}

/** A stack of encoder layers, each made by `layer` with its number, and an optional final normalization. */
export class TransformerEncoder extends Module {
  readonly layers: ModuleList<TransformerEncoderLayer>;
  readonly norm: LayerNorm | null;

  constructor(layer: (number: number) => TransformerEncoderLayer, numLayers: number, norm: LayerNorm | null = null) {
    checkCall('new nn.TransformerEncoder', ['layer: function', 'numLayers: number', 'norm'], undefined, arguments);
    super();
    this.layers = new ModuleList(Array.from({ length: numLayers }, (_, i) => layer(i)));
    this.norm = norm;
  }

  override forward(src: Tensor, masks: EncoderMasks = {}): Tensor {
    checkCall('TransformerEncoder.forward', ['src: tensor'], encoderKinds, arguments);
    let x = src;
    for (const layer of this.layers) x = layer.forward(x, masks);
    return this.norm ? this.norm.forward(x) : x;
  }
}

/** A stack of decoder layers, each made by `layer` with its number, and an optional final normalization. */
export class TransformerDecoder extends Module {
  readonly layers: ModuleList<TransformerDecoderLayer>;
  readonly norm: LayerNorm | null;

  constructor(layer: (number: number) => TransformerDecoderLayer, numLayers: number, norm: LayerNorm | null = null) {
    checkCall('new nn.TransformerDecoder', ['layer: function', 'numLayers: number', 'norm'], undefined, arguments);
    super();
    this.layers = new ModuleList(Array.from({ length: numLayers }, (_, i) => layer(i)));
    this.norm = norm;
  }

  override forward(tgt: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    checkCall('TransformerDecoder.forward', ['tgt: tensor', 'memory: tensor'], decoderKinds, arguments);
    let x = tgt;
    for (const layer of this.layers) x = layer.forward(x, memory, masks);
    return this.norm ? this.norm.forward(x) : x;
  }
}
