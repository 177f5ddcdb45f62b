/** Contrastive representation distillation: embeddings, memory banks, loss, and the choice of negatives. */

import { ConfigError } from '../errors.js';
import { functional as F, init, Linear, Module } from '../nn/index.js';
import { keep, noGrad, type Tensor, tensor, functions as torch } from '../tensor/index.js';
import type { Setting } from './method.js';

/**
 * Noise-contrastive estimation with the noise 1/n: mean over the batch of -log(P_0 / (P_0 + m/n)) - sum_j log((m/n) /
 * (P_j + m/n)).
 *
 * @param scores P, [N, 1 + m]: of the positive, and of m negatives @param n training samples
 */
export function noiseContrastiveLoss(scores: Tensor, n: number): Tensor {
  const negatives = (scores.shape[1] as number) - 1;
  const noise = negatives / n;
  const [positive, others] = [scores.narrow(1, 0, 1), scores.narrow(1, 1, negatives)];
  const isData = positive.div(positive.add(noise)).log().sum();
  const isNoise = others.div(noise).add(1).log().sum();
  return isNoise.sub(isData).div(scores.shape[0] as number);
}

export interface ContrastOptions {
  /** Training samples. */
  samples: number;
  /** Width of the embeddings. */
  dim: number;
  temperature: number;
  /** Share of the old entry in an updated entry of a bank. */
  momentum: number;
}

/** One network's half: a trained embedding, its memory bank, and the normalizer of scores against that bank. */
class Side extends Module {
  readonly embed: Linear;
  /** [n, dim]; rows have unit length after their first update. */
  declare readonly bank: Tensor;
  /** Z, []; 0 before the first batch, which sets it permanently. */
  declare readonly normalizer: Tensor;

  constructor(features: number, samples: number, dim: number) {
    super();
    this.embed = new Linear(features, dim);
    const bound = Math.sqrt(3 / dim);
    this.registerBuffer('bank', init.uniform_(torch.zeros([samples, dim]), -bound, bound));
    this.registerBuffer('normalizer', torch.zeros([]));
  }

  forward(pooled: Tensor): Tensor {
    return F.normalize(this.embed.forward(pooled));
  }

  /** Returns P, [N, 1 + m], of the other network's embeddings [N, dim] with this bank's entries `chosen` [N, 1 + m]. */
  score(embedded: Tensor, chosen: Tensor, temperature: number): Tensor {
    // A clone, because the bank changes before the backward pass. A product with the whole bank is cheaper than
    // gathering N (1 + m) rows.
    const scores = embedded.matmul(this.bank.clone().t()).gather(1, chosen).div(temperature).exp();
    noGrad(() => {
      const first = scores.mean().mul(this.bank.shape[0] as number);
      this.normalizer.copy_(torch.where(this.normalizer.gt(0), this.normalizer, first));
    });
    return scores.div(this.normalizer.clone());
  }

  remember(embedded: Tensor, indices: Tensor, momentum: number): void {
    noGrad(() => {
      const old = this.bank.indexSelect(0, indices);
      const mixed = old.mul(momentum).add(embedded.mul(1 - momentum));
      this.bank.indexCopy_(0, indices, F.normalize(mixed));
    });
  }
}

/**
 * Tian et al., ICLR 2020: contrasts each network's embedding of a sample with the other network's embeddings of other
 * samples, which memory banks keep. Banks and normalizers are buffers: saved, not trained.
 */
export class Contrast extends Module {
  readonly student: Side;
  readonly teacher: Side;

  constructor(
    studentChannels: number,
    teacherChannels: number,
    readonly options: ContrastOptions,
  ) {
    super();
    const { samples, dim } = options;
    this.student = new Side(studentChannels, samples, dim);
    this.teacher = new Side(teacherChannels, samples, dim);
  }

  /**
   * Returns the loss of a batch, then updates the banks with its embeddings.
   *
   * @param hS [N, C_S] @param hT [N, C_T] @param indices [N] sample numbers @param negatives [N, m] sample numbers
   */
  forward(hS: Tensor, hT: Tensor, indices: Tensor, negatives: Tensor): Tensor {
    const { samples, temperature, momentum } = this.options;
    const [vS, vT] = [this.student.forward(hS), this.teacher.forward(hT)];
    const chosen = torch.cat([indices.unsqueeze(1), negatives], 1);
    const scoresS = this.teacher.score(vS, chosen, temperature);
    const scoresT = this.student.score(vT, chosen, temperature);
    this.student.remember(vS, indices, momentum);
    this.teacher.remember(vT, indices, momentum);
    return noiseContrastiveLoss(scoresS, samples).add(noiseContrastiveLoss(scoresT, samples));
  }
}

/** Samples from other classes, uniformly and with replacement, with the default generator. */
export class NegativeSampler {
  /** Sample numbers ordered by class. */
  #byClass: Tensor;
  /** The first place of each class in that order, and its number of samples, int64 [classes]. */
  #begins: Tensor;
  #counts: Tensor;
  readonly #samples: number;

  /** Throws ConfigError if one class has all samples. */
  constructor(given: Setting['trainLabels']) {
    const labels = Int32Array.from(given);
    const counts = new Array<number>(1 + labels.reduce((most, label) => Math.max(most, label), 0)).fill(0);
    for (const label of labels) counts[label] = (counts[label] as number) + 1;
    if (counts.some((count) => count === labels.length))
      throw new ConfigError(
        'CRD contrasts classes, and all training samples are of one.\nUse data with at least two classes.',
      );
    const begins = counts.map((_, label) => counts.slice(0, label).reduce((sum, count) => sum + count, 0));
    const order = [...labels.keys()].sort((a, b) => (labels[a] as number) - (labels[b] as number));
    const whole = (values: number[]) => keep(tensor(values, { dtype: 'int64' }));
    this.#samples = labels.length;
    this.#byClass = whole(order);
    this.#begins = whole(begins);
    this.#counts = whole(counts);
  }

  /** Returns sample numbers [N, count] for labels [N]. */
  draw(labels: Tensor, count: number): Tensor {
    const { device } = labels;
    if (this.#byClass.device !== device) this.#moveTo(device);
    const [begins, own] = [this.#begins, this.#counts].map((of) => of.indexSelect(0, labels).unsqueeze(1)) as [
      Tensor,
      Tensor,
    ];
    const uniform = torch.rand([labels.shape[0] as number, count], { dtype: 'float64', device });
    const place = uniform.mul(own.neg().add(this.#samples)).floor().to('int64');
    // Skips the label's own class.
    const order = place.add(torch.where(place.lt(begins), torch.zerosLike(own), own));
    return this.#byClass.take(order);
  }

  #moveTo(device: string): void {
    const held = [this.#byClass, this.#begins, this.#counts];
    [this.#byClass, this.#begins, this.#counts] = held.map((tensor) => keep(tensor.to({ device }))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    for (const tensor of held) tensor.dispose();
  }

  dispose(): void {
    for (const held of [this.#byClass, this.#begins, this.#counts]) held.dispose();
  }
}
