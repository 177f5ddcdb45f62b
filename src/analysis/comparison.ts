import type { Features } from '../flow.js';
import { functional as F } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import type { Likeness } from './record.js';
import { RowSums, share, total } from './row-sums.js';

type Outputs = Pick<Features, 'logits' | 'pooled'>;

/** Agreement, divergence and squared errors of a student and a teacher, by class. */
export class Comparison {
  readonly #sums: RowSums;
  #sameWidth = true;

  constructor(numClasses: number) {
    this.#sums = new RowSums(numClasses, 5);
  }

  /** Adds a batch: logits [N, K], features [N, C] of either width, labels int64 [N]. Call it inside a scope. */
  add(student: Outputs, teacher: Outputs, labels: Tensor): void {
    const [zS, zT] = [student.logits.to('float64'), teacher.logits.to('float64')];
    const agree = zS.argmax(1).eq(zT.argmax(1)).to('float64');
    const logitError = zS.sub(zT).square().mean(1);
    this.#sameWidth = student.pooled.shape[1] === teacher.pooled.shape[1];
    const featureError = this.#sameWidth
      ? student.pooled.to('float64').sub(teacher.pooled.to('float64')).square().mean(1)
      : torch.zerosLike(agree);
    const columns = [torch.onesLike(agree), agree, divergence(zT, zS), logitError, featureError];
    this.#sums.add(labels, torch.stack(columns, 1));
  }

  read(): { overall: Likeness; classes: Likeness[] } {
    const rows = this.#sums.read();
    return { overall: this.#likeness(total(rows)), classes: rows.map((row) => this.#likeness(row)) };
  }

  #likeness([count = 0, agree = 0, kl = 0, logits = 0, features = 0]: number[]): Likeness {
    return {
      count,
      agreement: share(agree, count),
      klDivergence: share(kl, count),
      logitError: share(logits, count),
      featureError: this.#sameWidth ? share(features, count) : null,
    };
  }

  dispose(): void {
    this.#sums.dispose();
  }
}

/** KL(s(z_T) || s(z_S)) of each image, [N]. */
function divergence(zT: Tensor, zS: Tensor): Tensor {
  const [logT, logS] = [F.logSoftmax(zT, 1), F.logSoftmax(zS, 1)];
  return logT.exp().mul(logT.sub(logS)).sum(1);
}
