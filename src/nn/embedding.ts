import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { noGrad, type Tensor, functions as torch } from '../tensor/index.js';
import { normal_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

const embeddingKinds: Kinds<EmbeddingOptions> = {
  paddingIdx: 'number',
  maxNorm: 'number',
  normType: 'number',
  scaleGradByFreq: 'boolean',
  sparse: 'boolean',
};
const bagKinds: Kinds<EmbeddingBagOptions> = {
  maxNorm: 'number',
  normType: 'number',
  scaleGradByFreq: 'boolean',
  mode: ['sum', 'mean', 'max'],
  sparse: 'boolean',
  includeLastOffset: 'boolean',
  paddingIdx: 'number',
};

/** Options of {@link Embedding}. */
export interface EmbeddingOptions {
  /** Index of a row that starts as zeros and gets no gradient; negative numbers count from the end. */
  paddingIdx?: number;
  /** Maximum norm: larger rows are scaled down to it, in place, before the lookup. */
  maxNorm?: number;
  /** Order p of that norm. Default 2. */
  normType?: number;
  /** Divides gradients by how often a row was looked up. Default false. */
  scaleGradByFreq?: boolean;
  /** Makes the weight's gradient sparse. Default false. */
  sparse?: boolean;
}

/** A trained table whose rows are looked up by index. */
abstract class Table<Options extends EmbeddingOptions> extends Module {
  readonly weight: Parameter;
  /** Padding row; -1 for none, as in the operators. */
  readonly paddingIdx: number;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    readonly options: Options,
  ) {
    super();
    this.paddingIdx = rowOf(options.paddingIdx, numEmbeddings);
    this.weight = new Parameter(torch.empty([numEmbeddings, embeddingDim]));
    this.resetParameters();
  }

  resetParameters(): void {
    normal_(this.weight);
    if (this.paddingIdx >= 0) noGrad(() => this.weight.select(0, this.paddingIdx).zero_());
  }

  /** Scales the rows of `indices` down to the maximum norm. */
  protected renorm(indices: Tensor): void {
    const { maxNorm, normType = 2 } = this.options;
    if (maxNorm === undefined) return;
    noGrad(() => torch.embeddingRenorm_(this.weight, indices.contiguous().reshape([-1]), maxNorm, normType));
  }
}

/** Looks up rows of a trained table: integers [...] -> [..., embeddingDim]. */
export class Embedding extends Table<EmbeddingOptions> {
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    checkCall('new nn.Embedding', ['numEmbeddings: number', 'embeddingDim: number'], embeddingKinds, arguments);
    super(numEmbeddings, embeddingDim, options);
  }

  forward(indices: Tensor): Tensor {
    const { scaleGradByFreq = false, sparse = false } = this.options;
    this.renorm(indices);
    return torch.embedding(this.weight, indices, this.paddingIdx, scaleGradByFreq, sparse);
  }
}

/** Options of {@link EmbeddingBag}. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** How the rows of a bag are combined. Default `mean`. */
  mode?: 'sum' | 'mean' | 'max';
  /** `offsets` has a last entry that is the number of indices. Default false. */
  includeLastOffset?: boolean;
}

const modes = { sum: 0, mean: 1, max: 2 };

/** Looks up rows and combines those of a bag: [N, L] -> [N, embeddingDim], or [L] with offsets [N]. */
export class EmbeddingBag extends Table<EmbeddingBagOptions> {
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagOptions = {}) {
    checkCall('new nn.EmbeddingBag', ['numEmbeddings: number', 'embeddingDim: number'], bagKinds, arguments);
    super(numEmbeddings, embeddingDim, options);
  }

  /** @param perSampleWeights a factor for each index, with mode `sum` */
  forward(indices: Tensor, offsets?: Tensor, perSampleWeights?: Tensor): Tensor {
    const { scaleGradByFreq = false, sparse = false } = this.options;
    const { mode = 'mean', includeLastOffset = false } = this.options;
    const [rows = 0, length = 0] = indices.shape;
    if ((indices.ndim === 1) !== (offsets !== undefined))
      throw new ArgumentError('EmbeddingBag takes indices [L] with offsets, or indices [N, L] without.');
    this.renorm(indices);
    const [bags] = torch.embeddingBag(
      this.weight,
      indices.reshape([-1]),
      offsets ?? torch.arange(0, rows * length, length, { device: indices.device }),
      scaleGradByFreq,
      modes[mode],
      sparse,
      perSampleWeights?.reshape([-1]) ?? null,
      includeLastOffset,
      this.paddingIdx < 0 ? null : this.paddingIdx,
    );
    return bags;
  }
}

function rowOf(index: number | undefined, rows: number): number {
  if (index === undefined) return -1;
  if (!Number.isInteger(index) || index >= rows || index < -rows)
    throw new ArgumentError(`paddingIdx ${index} is not a row of ${rows}.`);
  return index < 0 ? rows + index : index;
}
