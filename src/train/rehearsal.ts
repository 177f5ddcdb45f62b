import type { PartShare } from '../data/ranks.js';
import type { Objective } from '../distill/method.js';
import { ConfigError } from '../errors.js';
import type { Batch } from '../flow.js';
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
}

const singleImage = (buffer: string): string =>
  `This network cannot be trained on one image at a time: batch normalization has no variance over a single value (${buffer} becomes NaN). Use --batch-size and --micro-batch of 2 or more, and at least two training images.`;

/**
 * Runs forward and backward of the first part of a batch, without an update. Returns the unweighted terms. Changes
 * statistics and random generators. Throws ConfigError if the network cannot be trained on so few images.
 */
export function rehearse(batch: Batch, share: PartShare, setup: RehearsalSetup): Record<string, number> {
  const { passes, optimizer, buffers, ranks, joint, objective } = setup;
  const { terms } = passes.forward({ batch: partOf(batch, 0, share.size) }, share);
  passes.sumOf(terms).backward();
  joint?.open(optimizer);
  optimizer.zeroGrad();
  const bad = share.total === 1 ? buffers.nonFinite() : undefined;
  if (bad !== undefined) throw new ConfigError(singleImage(bad));
  const weight = ranks?.weightOf(share, objective) ?? 1;
  const values = Object.values(terms).map(({ value }) => Number(value.item()) * weight);
  const joined = ranks?.sums(values) ?? values;
  return Object.fromEntries(Object.keys(terms).map((name, i) => [name, joined[i] as number]));
}
