/** A part of a batch (micro-batch) that goes through the network at once, and its results. */
import type { Batch, Terms, Weight } from '../flow.js';
import { noGrad, type Tensor } from '../tensor/index.js';

/** The results of one part of a batch. */
export interface Part {
  terms: Terms;
  loss: Tensor;
  count: number;
  /** The share that is counted in this process, if every process computes the same. Default 1. */
  share?: number;
  /** Number of images that the student classified correctly; absent if undefined for the method or labels. */
  right?: Tensor;
}

export function partOf({ images, labels, indices, views }: Batch, begin: number, size: number): Batch {
  const part = (tensor: Tensor) => tensor.narrow(0, begin, size);
  const { number, onDevice } = views;
  return {
    images: part(images),
    labels: part(labels),
    indices: part(indices),
    views: {
      number,
      images: views.images.slice(begin, begin + size),
      ...(onDevice && { onDevice: { numbers: part(onDevice.numbers), images: part(onDevice.images) } }),
    },
  };
}

export const rightOf = (logits: Tensor, labels: Tensor): Tensor => noGrad(() => logits.argmax(1).eq(labels).sum());

/** Returns the weighted sum of the terms. A term of weight 0 is recorded, but left out of the autograd graph. */
export function weightedSum(terms: Terms, weightOf: (name: string, weight: Weight) => number | Tensor): Tensor {
  const parts = Object.entries(terms)
    .map(([name, { weight, value }]) => ({ weight: weightOf(name, weight), value }))
    .filter(({ weight }) => weight !== 0)
    // The weight is a number or a tensor: mul() has an overload for each.
    .map(({ weight, value }) => (weight === 1 ? value : value.mul(weight as Tensor)));
  return parts.reduce((sum, part) => sum.add(part));
}

/** What {@link nonFiniteTerm} calls a loss whose terms are all finite. */
export const weightedSumName = 'the weighted sum';

/** Names the first term with NaN or Inf; undefined if all losses are finite. */
export function nonFiniteTerm(parts: readonly Part[]): string | undefined {
  if (parts.every(({ loss }) => Number.isFinite(Number(loss.item())))) return undefined;
  for (const { terms } of parts) {
    for (const [name, { value }] of Object.entries(terms))
      if (!Number.isFinite(Number(value.item()))) return `the term ${name}`;
  }
  return weightedSumName;
}

/** Returns notices about batches and parts that are one image larger, so that none has a single image. */
export function mergedNotice(images: number, batchSize: number, microBatch: number): string[] {
  const left = (count: number, size: number) => size > 1 && count > size && count % size === 1;
  const notices: string[] = [];
  const why = 'one image alone has no variance for batch normalization';
  if (left(images, batchSize))
    notices.push(`the last batch of each epoch has ${batchSize + 1} images instead of ${batchSize} and 1: ${why}`);
  const last = left(images, batchSize) ? batchSize + 1 : images % batchSize;
  if (microBatch < batchSize && [batchSize, last].some((count) => left(count, microBatch)))
    notices.push(`a part of one image goes with the part before, which then has ${microBatch + 1}: ${why}`);
  return notices;
}
