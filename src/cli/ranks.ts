/** Runs a command in several processes if a launcher's environment variables ask for it. */
import { type Place, placeFrom } from '../distributed/environment.js';
import { type Backend, destroy, fail, init } from '../distributed/group.js';
import { ConfigError, DistributedError, messageOf } from '../errors.js';

/** The environment variable in which `srrl launch` passes its process id to its processes. */
export const launcherVariable = 'SRRL_LAUNCHER';

/** Seconds that a run has to save and end after its launcher is gone. */
const lastSeconds = 30;

/** Ends this process soon after its launcher has died without ending it, for example by kill -9. */
export function endWithLauncher(): void {
  const launcher = Number(process.env[launcherVariable] ?? 0);
  if (launcher === 0) return;
  // Child processes of this one do not belong to the launcher.
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

/** Returns whether this process prints the output of a run: only the first rank does. */
export const speaks = (): boolean => rank === 0;

/** Returns the prefix of error messages: the rank, except for the first. */
export const speaker = (): string => (rank > 0 ? `rank ${rank}: ` : '');

/** Returns the number of processes that run this command. */
export const processes = (): number => placeFrom()?.worldSize ?? 1;

/** Returns `cuda:<local rank>` for `cuda` if there are several processes; other devices unchanged. */
export const ownDevice = (device: string | undefined): string | undefined =>
  device === 'cuda' && processes() > 1 ? `cuda:${placeFrom()?.localRank ?? 0}` : device;

/** Returns the backend that transfers tensors of a device between processes. */
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

/** Runs `body`, in the group of all ranks if a launcher has started several. */
export async function withRanks(device: string, body: () => Promise<void>): Promise<void> {
  const place = placeFrom();
  if (!place || place.worldSize === 1) return body();
  rank = place.rank;
  const backend = backendFor(device, place);
  await init({ ...place, backend });
  try {
    await body();
  } catch (error) {
    // Tells the other ranks why this one ended.
    if (!(error instanceof DistributedError)) await fail(messageOf(error));
    throw error;
  }
  await destroy();
}
