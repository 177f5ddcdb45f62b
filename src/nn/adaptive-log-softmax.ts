import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { ModuleList, Sequential } from './container.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

/** Options of {@link AdaptiveLogSoftmaxWithLoss}. */
export interface AdaptiveLogSoftmaxOptions {
  /** Each further cluster has a projection narrower by this factor. Default 4. */
  divValue?: number;
  /** Whether the head has a bias. Default false. */
  headBias?: boolean;
}

const kinds: Kinds<AdaptiveLogSoftmaxOptions> = { divValue: 'number', headBias: 'boolean' };
const given = ['inFeatures: number', 'nClasses: number', 'cutoffs: numbers'];

/**
 * Softmax over many classes in clusters by frequency (Grave et al. 2017), as torch.nn.AdaptiveLogSoftmaxWithLoss. The
 * classes must be sorted by falling frequency. Throws ConfigError if cutoffs do not grow from 1 to nClasses - 1.
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  readonly cutoffs: number[];
  readonly divValue: number;
  readonly head: Linear;
  readonly tail: ModuleList<Sequential>;

  constructor(
    readonly inFeatures: number,
    readonly nClasses: number,
    cutoffs: readonly number[],
    options: AdaptiveLogSoftmaxOptions = {},
  ) {
    checkCall('new nn.AdaptiveLogSoftmaxWithLoss', given, kinds, arguments);
    super();
    const { divValue = 4, headBias = false } = options;
    const grow = cutoffs.every((cutoff, i) => Number.isInteger(cutoff) && cutoff > (cutoffs[i - 1] ?? 0));
    if (cutoffs.length === 0 || !grow || (cutoffs.at(-1) as number) >= nClasses)
      throw new ConfigError(`cutoffs must be whole numbers that grow from 1 to ${nClasses - 1}, not [${cutoffs}].`);
    this.cutoffs = [...cutoffs, nClasses];
    this.divValue = divValue;
    this.head = new Linear(inFeatures, this.shortlist + cutoffs.length, { bias: headBias });
    this.tail = new ModuleList(
      cutoffs.map((cutoff, i) => {
        const width = Math.floor(inFeatures / divValue ** (i + 1));
        const classes = (this.cutoffs[i + 1] as number) - cutoff;
        const bias = { bias: false };
        return new Sequential(new Linear(inFeatures, width, bias), new Linear(width, classes, bias));
      }),
    );
  }

  /** The number of classes that the head itself decides. */
  get shortlist(): number {
    return this.cutoffs[0] as number;
  }

  resetParameters(): void {
    for (const [, module] of this.namedModules()) if (module instanceof Linear) module.resetParameters();
  }

  /** [N, inFeatures] and class numbers [N], or without N -> each log-probability and the mean loss. */
  forward(x: Tensor, target: Tensor): [Tensor, Tensor] & { readonly output: Tensor; readonly loss: Tensor } {
    checkCall('AdaptiveLogSoftmaxWithLoss.forward', ['x: tensor', 'target: tensor'], undefined, arguments);
    const single = target.ndim === 0;
    const [rows, labels] = single ? [x.unsqueeze(0), target.unsqueeze(0)] : [x, target];
    if (rows.ndim !== 2 || labels.ndim !== 1 || rows.shape[0] !== labels.shape[0])
      throw new ArgumentError(`It takes [N, ${this.inFeatures}] and [N], not [${x.shape}] and [${target.shape}].`);
    if (labels.numel() > 0 && (Number(labels.min().item()) < 0 || Number(labels.max().item()) >= this.nClasses))
      throw new ArgumentError(`Class numbers must be from 0 to ${this.nClasses - 1}.`);
    const head = torch.logSoftmax(this.head.forward(rows), 1);
    let entry = labels;
    let within = torch.zeros([rows.shape[0] as number], { dtype: rows.dtype, device: rows.device });
    for (const [i, cluster] of [...this.tail].entries()) {
      const [from, to] = [this.cutoffs[i] as number, this.cutoffs[i + 1] as number];
      const members = labels.ge(from).logicalAnd(labels.lt(to)).nonzero().squeeze(1);
      if (members.numel() === 0) continue;
      const positions = labels.indexSelect(0, members).sub(from).unsqueeze(1);
      const logs = torch.logSoftmax(cluster.forward(rows.indexSelect(0, members)), 1).gather(1, positions);
      entry = entry.indexFill(0, members, this.shortlist + i);
      within = within.indexCopy(0, members, logs.squeeze(1));
    }
    const output = within.add(head.gather(1, entry.unsqueeze(1)).squeeze(1));
    const loss = output.mean().neg();
    const result = single ? output.squeeze(0) : output;
    return Object.assign([result, loss] as [Tensor, Tensor], { output: result, loss });
  }

  /** Log-probabilities of all classes: [N, inFeatures] -> [N, nClasses]. */
  logProb(x: Tensor): Tensor {
    checkCall('AdaptiveLogSoftmaxWithLoss.logProb', ['x: tensor'], undefined, arguments);
    const head = torch.logSoftmax(this.head.forward(x), 1);
    const clusters = [...this.tail].map((cluster, i) =>
      torch.logSoftmax(cluster.forward(x), 1).add(head.narrow(1, this.shortlist + i, 1)),
    );
    return torch.cat([head.narrow(1, 0, this.shortlist), ...clusters], 1);
  }

  /** The most probable class: [N, inFeatures] -> [N]. */
  predict(x: Tensor): Tensor {
    checkCall('AdaptiveLogSoftmaxWithLoss.predict', ['x: tensor'], undefined, arguments);
    return this.logProb(x).argmax(1);
  }
}
