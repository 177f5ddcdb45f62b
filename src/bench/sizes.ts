/** With which numbers of images, and how many at a time, cases are measured on a CPU and on a GPU. */
import { type Pair, tinyPair } from './pairs.js';
import type { BenchContext } from './suite.js';

/** A pair with each number of images that it is measured with. */
export function sized(pair: Pair, { tiny, device }: BenchContext): Pair[] {
  if (tiny) return [tinyPair(pair)];
  return device === 'cpu' ? [pair] : pair.gpuBatchSizes.map((batchSize) => ({ ...pair, batchSize }));
}

/** What the name of a case ends with: ratios on other devices and in other precisions are others. */
export function caseSuffix({ device, precision }: BenchContext, batchSize?: number): string {
  const words = [device, precision].filter((word) => word !== 'cpu' && word !== 'float32');
  if (device !== 'cpu' && batchSize !== undefined) words.push(`${batchSize} images`);
  return words.map((word) => `, ${word}`).join('');
}

/** Steps or passes of one measurement: a GPU does one in less time than its clock is asked in. */
export const stepsOf = ({ tiny, device }: BenchContext): number => (device === 'cpu' || tiny ? 1 : 20);

/** How far numbers of both sides may be apart. */
export const toleranceOf = ({ precision }: BenchContext): { tolerance?: number } =>
  precision === 'bfloat16' ? { tolerance: 0.05 } : {};
