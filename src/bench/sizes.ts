/** Batch sizes and numbers of steps for measuring cases on a CPU and on a GPU. */
import { type Pair, tinyPair } from './pairs.js';
import type { BenchContext } from './suite.js';

/** Returns the pair with each batch size for which it is measured. */
export function sized(pair: Pair, { tiny, device }: BenchContext): Pair[] {
  if (tiny) return [tinyPair(pair)];
  return device === 'cpu' ? [pair] : pair.gpuBatchSizes.map((batchSize) => ({ ...pair, batchSize }));
}

/** Returns the suffix of a case's name: ratios on other devices and in other precisions are separate. */
export function caseSuffix({ device, precision }: BenchContext, batchSize?: number): string {
  const words = [device, precision].filter((word) => word !== 'cpu' && word !== 'float32');
  if (device !== 'cpu' && batchSize !== undefined) words.push(`${batchSize} images`);
  return words.map((word) => `, ${word}`).join('');
}

/** Steps or passes per measurement: on a GPU, one takes less time than reading its clock. */
export const stepsOf = ({ tiny, device }: BenchContext): number => (device === 'cpu' || tiny ? 1 : 20);

/** Returns the allowed relative difference between the two sides. */
export const toleranceOf = ({ precision }: BenchContext): { tolerance?: number } =>
  precision === 'bfloat16' ? { tolerance: 0.05 } : {};
