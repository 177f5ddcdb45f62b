/** The process group of a run: libtorch's c10d, with the names of torch.distributed. */
import { lookup } from 'node:dns/promises';
import { hostname } from 'node:os';
import { checkCall, type Kinds } from '../call.js';
import { ConfigError, DistributedError, messageOf } from '../errors.js';
import { native } from '../native.js';
import { owned, Tensor } from '../tensor/index.js';
import { type Place, placeFrom } from './environment.js';

/** The library that runs collectives. */
export type Backend = 'gloo' | 'nccl';
/** How {@link allReduce} combines the values of all ranks. */
export type ReduceOp = 'sum' | 'product' | 'min' | 'max';

/** Options of {@link init}. Defaults come from the environment variables that launchers set. */
export interface InitOptions extends Partial<Place> {
  /** `nccl` for tensors on NVIDIA GPUs next to those on CPUs; it has not run on a GPU yet. Default `gloo`. */
  backend?: Backend;
  /** Seconds that ranks wait for each other, in `init` and in every collective. Default 600. */
  timeout?: number;
}

const kinds: Kinds<InitOptions> = {
  rank: 'number',
  worldSize: 'number',
  localRank: 'number',
  address: 'string',
  port: 'number',
  launcherHasStore: 'boolean',
  restarts: 'number',
  backend: ['gloo', 'nccl'],
  timeout: 'number',
};

const defaultTimeout = 600;

/** The variable through which `srrl launch --timeout` passes the timeout to its processes. */
export const timeoutVariable = 'SRRL_DISTRIBUTED_TIMEOUT';

/**
 * Joins the group, once per process, and resolves when all ranks have joined. By default, reads the variables of
 * torchrun (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`), Slurm or Open MPI. Throws ConfigError if
 * they are missing or contradict each other, and DistributedError with the ranks that do not join.
 *
 *     await distributed.init();
 *     await distributed.allReduce(tensor);
 */
export async function init(options: InitOptions = {}): Promise<void> {
  checkCall('distributed.init', [], kinds, arguments);
  const { backend = 'gloo', timeout = timeoutFrom(process.env), ...given } = options;
  if (!(timeout > 0)) throw new ConfigError(`distributed.init: timeout must be above 0 seconds, not ${timeout}.`);
  const place = placeOf(given);
  if (backend === 'gloo' && !native().hasGloo())
    throw new DistributedError(
      "This addon was built without Gloo. Build it against PyTorch's libtorch, which has it: `npx srrl install-libtorch`, then `npx srrl build --force`.",
    );
  await resolveName(place.address);
  await native().distributedInit({
    address: place.address,
    port: place.port,
    hostsStore: place.rank === 0 && !place.launcherHasStore,
    prefix: `srrl/${place.restarts}`,
    rank: place.rank,
    size: place.worldSize,
    host: hostname(),
    interface: process.env.GLOO_SOCKET_IFNAME ?? '',
    backend,
    timeout: timeout * 1000,
  });
}

function placeOf(given: Partial<Place>): Place {
  const { rank, worldSize } = given;
  if (rank === undefined || worldSize === undefined) {
    const found = placeFrom();
    if (!found)
      throw new ConfigError(
        'distributed.init: neither options nor variables say which process this is. Start the program by torchrun --no-python, srun, mpirun or srrl launch, or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.',
      );
    return { ...found, ...given };
  }
  if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
    throw new ConfigError(
      `distributed.init: rank ${rank} of ${worldSize} is none: ranks go from 0 to ${worldSize - 1}.`,
    );
  return {
    localRank: rank,
    address: 'localhost',
    port: 29500,
    launcherHasStore: false,
    restarts: 0,
    ...given,
    rank,
    worldSize,
  };
}

function timeoutFrom(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment[timeoutVariable];
  if (text === undefined || text === '') return defaultTimeout;
  const seconds = Number(text);
  if (!(seconds > 0)) throw new ConfigError(`${timeoutVariable}=${text} is not a number of seconds above 0.`);
  return seconds;
}

/** Throws ConfigError immediately, not after the timeout, if a host name is unknown. */
async function resolveName(address: string): Promise<void> {
  try {
    await lookup(address);
  } catch (error) {
    throw new ConfigError(
      `The host MASTER_ADDR=${address} is unknown: ${messageOf(error)}. Use the name or address of the machine of rank 0.`,
      { cause: error },
    );
  }
}

/** Whether this process is in a group. */
export const isInitialized = (): boolean => native().distributedInfo() !== null;

/** Rank of this process, from 0; 0 without a group. */
export const getRank = (): number => native().distributedInfo()?.rank ?? 0;

/** Number of processes; 1 without a group. */
export const getWorldSize = (): number => native().distributedInfo()?.size ?? 1;

/** Backend of the group; undefined without a group. */
export const getBackend = (): Backend | undefined => native().distributedInfo()?.backend as Backend | undefined;

const handlesOf = (tensors: Tensor | readonly Tensor[]): number[] => [tensors].flat().map((tensor) => tensor.handle);

/** Replaces tensors, in place, by their sum (or product, minimum, maximum) over all ranks. */
export async function allReduce(
  tensors: Tensor | readonly Tensor[],
  { op = 'sum' }: { op?: ReduceOp } = {},
): Promise<void> {
  checkCall('distributed.allReduce', ['tensors'], { op: ['sum', 'product', 'min', 'max'] }, arguments);
  await native().distributedAllReduce(handlesOf(tensors), op, true);
}

/** Overwrites tensors, in place, with those of rank `source` (default 0). */
export async function broadcast(
  tensors: Tensor | readonly Tensor[],
  { source = 0 }: { source?: number } = {},
): Promise<void> {
  checkCall('distributed.broadcast', ['tensors'], { source: 'number' }, arguments);
  await native().distributedBroadcast(handlesOf(tensors), checkedRank(source), true);
}

/** Stacks the tensors of all ranks, which must have the same shape, to shape [ranks, ...]. */
export async function allGather(tensor: Tensor): Promise<Tensor> {
  checkCall('distributed.allGather', ['tensor'], undefined, arguments);
  return owned(new Tensor(await native().distributedAllGather(tensor.handle, true)));
}

/** Resolves when all ranks have called it. */
export async function barrier(): Promise<void> {
  checkCall('distributed.barrier', [], undefined, arguments);
  await native().distributedBarrier(true);
}

/** Leaves the group, after all ranks have called it. */
export async function destroy(): Promise<void> {
  checkCall('distributed.destroy', [], undefined, arguments);
  if (!isInitialized()) return;
  await native().distributedBarrier(true);
  await native().distributedDestroy();
}

/**
 * Tells the waiting ranks why this one stops; resolves when they have had time to read the reason.
 * @internal
 */
export async function fail(reason: string): Promise<void> {
  await native().distributedFail(reason);
}

function checkedRank(rank: number): number {
  const size = getWorldSize();
  if (Number.isInteger(rank) && rank >= 0 && rank < size) return rank;
  throw new ConfigError(`There is no rank ${rank} of ${size}: ranks go from 0 to ${size - 1}.`);
}
