import { functional as F } from '../nn/index.js';
import { fromArray, type Tensor, functions as torch } from '../tensor/index.js';
import type { Calibration, CalibrationBin } from './record.js';
import { RowSums, share, total } from './row-sums.js';

/** Number of equal-width bins of the calibration error. */
export const calibrationBins = 15;
const edges = Float64Array.from({ length: calibrationBins - 1 }, (_, i) => (i + 1) / calibrationBins);

/** Confusion matrix, accuracy and calibration of one network. */
export class Predictions {
  readonly #confusion: RowSums;
  readonly #bins: RowSums;

  constructor(readonly numClasses: number) {
    this.#confusion = new RowSums(numClasses, numClasses);
    this.#bins = new RowSums(numClasses * calibrationBins, 3);
  }

  /** Adds a batch: logits [N, K], labels int64 [N]. Call it inside a scope. */
  add(logits: Tensor, labels: Tensor): void {
    const [confidence, predicted] = F.softmax(logits.to('float64'), 1).max(1);
    this.#confusion.add(labels, predicted.oneHot(this.numClasses));
    // Right-closed, as in the paper: bucketize counts the edges below a value.
    const bin = confidence.bucketize(fromArray(edges, undefined, { device: logits.device }));
    const right = predicted.eq(labels).to('float64');
    this.#bins.add(labels.mul(calibrationBins).add(bin), torch.stack([torch.onesLike(right), right, confidence], 1));
  }

  /** Images by label (row) and prediction (column). */
  confusion(): number[][] {
    return this.#confusion.read();
  }

  calibration(): Calibration {
    const rows = this.#bins.read();
    const perClass = Array.from({ length: this.numClasses }, (_, label) =>
      rows.slice(label * calibrationBins, (label + 1) * calibrationBins),
    );
    const sums = Array.from({ length: calibrationBins }, (_, bin) =>
      total(perClass.map((bins) => bins[bin] as number[])),
    );
    const [count = 0] = total(sums);
    const gaps = sums.reduce((sum, [, right = 0, confidence = 0]) => sum + Math.abs(right - confidence), 0);
    return {
      error: share(gaps, count) ?? 0,
      bins: sums.map(binOf),
      classCounts: perClass.map((bins) => bins.map(([images = 0]) => images)),
    };
  }

  dispose(): void {
    this.#confusion.dispose();
    this.#bins.dispose();
  }
}

function binOf([count = 0, right = 0, confidence = 0]: number[], bin: number): CalibrationBin {
  return {
    low: bin / calibrationBins,
    high: (bin + 1) / calibrationBins,
    count,
    accuracy: share(right, count),
    confidence: share(confidence, count),
  };
}

/** Accuracy of each class (null without images) and overall, from a confusion matrix. */
export function accuracies(confusion: number[][]): { overall: number; classes: (number | null)[] } {
  const right = confusion.map((row, label) => row[label] as number);
  const counts = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const sum = (values: number[]) => values.reduce((all, value) => all + value, 0);
  return {
    overall: share(sum(right), sum(counts)) ?? 0,
    classes: right.map((count, label) => share(count, counts[label] as number)),
  };
}
