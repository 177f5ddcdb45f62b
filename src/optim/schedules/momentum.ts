/** Momentum that a schedule moves next to the learning rate. */
import { ConfigError } from '../../errors.js';
import type { Scheduled } from './schedule.js';

/** An optimizer whose groups have what a cycle moves next to the learning rate. */
export interface Cycled extends Scheduled {
  paramGroups: { lr: number; initialLr?: number; momentum?: number; betas?: [number, number] }[];
}

/** Throws ConfigError if a group has neither momentum nor betas. */
export function checkCycled({ paramGroups }: Cycled): void {
  if (paramGroups.some((group) => group.momentum === undefined && !group.betas))
    throw new ConfigError('The optimizer has neither momentum nor betas; set cycleMomentum to false.');
}

/** Sets the momentum, or the first of betas, of every group. */
export function setMomentum(optimizer: Scheduled, momentum: number): void {
  for (const group of (optimizer as Cycled).paramGroups) {
    if (group.betas) group.betas = [momentum, group.betas[1]];
    else group.momentum = momentum;
  }
}
