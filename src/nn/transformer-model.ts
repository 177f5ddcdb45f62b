import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type DType, type Tensor, functions as torch } from '../tensor/index.js';
import { xavierUniform_ } from './init.js';
import { Module } from './module.js';
import { LayerNorm } from './norm.js';
import {
  type DecoderMasks,
  layerKinds,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from './transformer.js';

/** Options of {@link Transformer}. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** Width of the model. Default 512. */
  dModel?: number;
  /** Default 8. */
  nhead?: number;
  /** Default 6. */
  numEncoderLayers?: number;
  /** Default 6. */
  numDecoderLayers?: number;
}

/** Masks of one call of {@link Transformer}. */
export interface TransformerMasks extends DecoderMasks {
  /** [S, S] */
  srcMask?: Tensor | null;
  /** [N, S] */
  srcKeyPaddingMask?: Tensor | null;
}

const kinds: Kinds<TransformerOptions> = {
  dModel: 'number',
  nhead: 'number',
  numEncoderLayers: 'number',
  numDecoderLayers: 'number',
  ...layerKinds,
};
const maskKinds: Kinds<TransformerMasks> = {
  srcMask: 'any',
  tgtMask: 'any',
  memoryMask: 'any',
  srcKeyPaddingMask: 'any',
  tgtKeyPaddingMask: 'any',
  memoryKeyPaddingMask: 'any',
};

/** Encoder and decoder ("Attention Is All You Need"), as torch.nn.Transformer; each ends with a normalization. */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;
  readonly dModel: number;
  readonly nhead: number;
  readonly batchFirst: boolean;

  constructor(options: TransformerOptions = {}) {
    checkCall('new nn.Transformer', [], kinds, arguments);
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...layer } = options;
    const norm = () => new LayerNorm(dModel, { eps: layer.layerNormEps ?? 1e-5, bias: layer.bias ?? true });
    const encoderLayer = () => new TransformerEncoderLayer(dModel, nhead, layer);
    const decoderLayer = () => new TransformerDecoderLayer(dModel, nhead, layer);
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, norm());
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, norm());
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = layer.batchFirst ?? false;
    this.resetParameters();
  }

  resetParameters(): void {
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavierUniform_(parameter);
  }

  /** Source [S, N, E] and target [T, N, E], or with `batchFirst` N first -> the shape of the target. */
  forward(src: Tensor, tgt: Tensor, masks: TransformerMasks = {}): Tensor {
    checkCall('Transformer.forward', ['src: tensor', 'tgt: tensor'], maskKinds, arguments);
    for (const [name, { shape }] of Object.entries({ src, tgt })) {
      if (shape.at(-1) !== this.dModel)
        throw new ArgumentError(`The last size of ${name} must be dModel ${this.dModel}, not [${shape.join(', ')}].`);
    }
    const { srcMask = null, srcKeyPaddingMask = null, ...others } = masks;
    const memory = this.encoder.forward(src, { mask: srcMask, srcKeyPaddingMask });
    return this.decoder.forward(tgt, memory, others);
  }

  /** The mask that hides later positions: [size, size] of 0 and -Infinity. */
  static generateSquareSubsequentMask(size: number, options: { device?: string; dtype?: DType } = {}): Tensor {
    const kinds = { device: 'string', dtype: 'string' } as const;
    checkCall('Transformer.generateSquareSubsequentMask', ['size: number'], kinds, arguments);
    return torch.full([size, size], Number.NEGATIVE_INFINITY, { dtype: 'float32', ...options }).triu(1);
  }
}
