/** Commands that several processes can run together, when a launcher says so in its variables. */
import { type Place, placeFrom } from '../distributed/environment.js';
import { type Backend, destroy, fail, init } from '../distributed/group.js';
import { ConfigError, DistributedError, messageOf } from '../errors.js';

/** The variable by which `srrl launch` tells its processes which one it is. */
export const launcherVariable = 'SRRL_LAUNCHER';

/** Seconds in which a run can save and end when its launcher has gone. */
const lastSeconds = 30;

/** Ends this process soon after the launcher that started it has ended without ending it, as by kill -9. */
export function endWithLauncher(): void {
  const launcher = Number(process.env[launcherVariable] ?? 0);
  if (launcher === 0) return;
  // Processes that this one starts are not the launcher's.
  delete process.env[launcherVariable];
  const watch = setInterval(() => {
    if (process.ppid === launcher) return;
    clearInterval(watch);
    console.error(
      `srrl: ${speaker()}srrl launch (process ${launcher}) has ended without its processes: this one ends.`,
    );
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1000 * lastSeconds).unref();
  }, 1000);
  watch.unref();
}

let rank = 0;

/** Whether this process prints what a run says: the first of several. */
export const speaks = (): boolean => rank === 0;

/** Who says it, in front of an error. */
export const speaker = (): string => (rank > 0 ? `rank ${rank}: ` : '');

/** How many processes run this command. */
export const processes = (): number => placeFrom()?.worldSize ?? 1;

/** The GPU of this process among those of its machine, where only the kind of device was named. */
export const ownDevice = (device: string | undefined): string | undefined =>
  device === 'cuda' && processes() > 1 ? `cuda:${placeFrom()?.localRank ?? 0}` : device;

/** What carries the tensors of a device between processes. */
function backendFor(device: string, { worldSize, rank }: Place): Backend {
  const isCuda = /^cuda(:|$)/.test(device);
  if (device === 'mps')
    throw new ConfigError('Several processes train on CPUs or NVIDIA GPUs, not on mps: leave --device out.');
  if (isCuda && device !== 'cuda')
    throw new ConfigError(
      `--device ${device} is one GPU for ${worldSize} processes. Pass --device cuda: each process takes the GPU with its number on the machine (LOCAL_RANK).`,
    );
  if (isCuda && rank === 0)
    console.error(
      'Training with several processes on GPUs is untested: NCCL has not run on a GPU yet. Compare the first epoch with a run of one process.',
    );
  return isCuda ? 'nccl' : 'gloo';
}

/** Runs `body` in the group of all ranks, where a launcher has started several. */
export async function withRanks(device: string, body: () => Promise<void>): Promise<void> {
  const place = placeFrom();
  if (!place || place.worldSize === 1) return body();
  rank = place.rank;
  const backend = backendFor(device, place);
  await init({ ...place, backend });
  try {
    await body();
  } catch (error) {
    // The others say why this one ended.
    if (!(error instanceof DistributedError)) await fail(messageOf(error));
    throw error;
  }
  await destroy();
}
