/** Commands that several processes can run together, when a launcher says so in its variables. */
import { placeFrom } from '../distributed/environment.js';
import { destroy, init } from '../distributed/group.js';
import { ConfigError } from '../errors.js';

let rank = 0;

/** Whether this process prints what a run says: the first of several. */
export const speaks = (): boolean => rank === 0;

/** Who says it, in front of an error. */
export const speaker = (): string => (rank > 0 ? `rank ${rank}: ` : '');

/** How many processes run this command. */
export const processes = (): number => placeFrom()?.worldSize ?? 1;

/** Runs `body` in the group of all ranks, where a launcher has started several. */
export async function withRanks(device: string, body: () => Promise<void>): Promise<void> {
  const place = placeFrom();
  if (!place || place.worldSize === 1) return body();
  rank = place.rank;
  if (device !== 'cpu')
    throw new ConfigError(
      `Several processes train on CPUs only so far, not on ${device}: leave --device out, or use one process.`,
    );
  await init({ ...place, backend: 'gloo' });
  await body();
  await destroy();
}
