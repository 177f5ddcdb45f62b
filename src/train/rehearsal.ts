import type { ImageDType } from '../data/device-views.js';
import type { PartShare } from '../data/ranks.js';
import type { Objective } from '../distill/method.js';
import { ConfigError } from '../errors.js';
import type { Batch, Terms } from '../flow.js';
import type { BufferGuard } from './buffer-guard.js';
import type { JointSteps } from './joint-steps.js';
import type { AnyOptimizer } from './optimizer.js';
import { partOf } from './part.js';
import type { Passes } from './passes.js';
import type { Ranks } from './ranks.js';

export interface RehearsalSetup {
  passes: Passes;
  optimizer: AnyOptimizer;
  buffers: BufferGuard;
  ranks: Ranks | undefined;
  joint: JointSteps | undefined;
  objective: Objective;
  /** The type to which all networks might round their images; undefined if none. */
  round: ImageDType | undefined;
}

const singleImage = (buffer: string): string =>
  `This network cannot be trained on one image at a time: batch normalization has no variance over a single value (${buffer} becomes NaN). Use --batch-size and --micro-batch of 2 or more, and at least two training images.`;

/**
 * Runs forward and backward of the first part of a batch, without an update. Returns the unweighted terms, and whether
 * images in `round` instead of float32 give the same terms because all networks round them first. Changes statistics
 * and random generators. Throws ConfigError if the network cannot be trained on so few images.
 */
export function rehearse(
  batch: Batch,
  share: PartShare,
  { passes, optimizer, buffers, ranks, joint, objective, round }: RehearsalSetup,
): { terms: Record<string, number>; rounds: boolean } {
  const part = partOf(batch, 0, share.size);
  const { terms } = passes.forward({ batch: part }, share);
  passes.sumOf(terms).backward();
  joint?.open(optimizer);
  optimizer.zeroGrad();
  const bad = share.total === 1 ? buffers.nonFinite() : undefined;
  if (bad !== undefined) throw new ConfigError(singleImage(bad));
  const own = numbersOf(terms);
  const rounds = round !== undefined && givesTerms(own, passes, { ...part, images: part.images.to(round) }, share);
  const weight = ranks?.weightOf(share, objective) ?? 1;
  const values = own.map((value) => value * weight);
  const joined = ranks?.sums(values) ?? values;
  return { terms: Object.fromEntries(Object.keys(terms).map((name, i) => [name, joined[i] as number])), rounds };
}

const numbersOf = (terms: Terms): number[] => Object.values(terms).map(({ value }) => Number(value.item()));

/** Whether a batch has exactly these terms. A network that refuses the images has none. */
function givesTerms(expected: readonly number[], passes: Passes, batch: Batch, share: PartShare): boolean {
  try {
    return numbersOf(passes.forward({ batch }, share).terms).every((value, i) => value === expected[i]);
  } catch {
    return false;
  }
}
