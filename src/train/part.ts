/** A part of a batch that goes through the network at once, and what it gives. */
import type { Batch, Terms } from '../flow.js';
import { noGrad, type Tensor } from '../tensor/index.js';

/** What a part of a batch gave. */
export interface Part {
  terms: Terms;
  loss: Tensor;
  count: number;
  /** How many images the student was right about; absent where that cannot be said. */
  right?: Tensor;
}

export const partOf = ({ images, labels, indices, views }: Batch, begin: number, size: number): Batch => ({
  images: images.narrow(0, begin, size),
  labels: labels.narrow(0, begin, size),
  indices: indices.narrow(0, begin, size),
  views: { ...views, images: views.images.slice(begin, begin + size) },
});

export const rightOf = (logits: Tensor, labels: Tensor): Tensor => noGrad(() => logits.argmax(1).eq(labels).sum());

/** A term of weight 0 is recorded, but takes no part in the graph. */
export function weightedSum(terms: Terms): Tensor {
  const parts = Object.values(terms)
    .filter(({ weight }) => weight !== 0)
    .map(({ weight, value }) => (weight === 1 ? value : value.mul(weight)));
  return parts.reduce((sum, part) => sum.add(part));
}

export function nonFiniteTerm(parts: readonly Part[]): string | undefined {
  if (parts.every(({ loss }) => Number.isFinite(Number(loss.item())))) return undefined;
  for (const { terms } of parts) {
    for (const [name, { value }] of Object.entries(terms))
      if (!Number.isFinite(Number(value.item()))) return `the term ${name}`;
  }
  return 'the weighted sum';
}
