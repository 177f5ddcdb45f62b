/** The group that the processes of a run form: c10d of libtorch, under the names of torch.distributed. */
import { lookup } from 'node:dns/promises';
import { hostname } from 'node:os';
import { checkCall, type Kinds } from '../call.js';
import { ConfigError, DistributedError, messageOf } from '../errors.js';
import { native } from '../native.js';
import { owned, Tensor } from '../tensor/index.js';
import { type Place, placeFrom } from './environment.js';

/** What carries collectives. */
export type Backend = 'gloo' | 'nccl';
/** What a collective makes of the values of all ranks. */
export type ReduceOp = 'sum' | 'product' | 'min' | 'max';

/** How a process joins. What is not given comes from the variables that launchers set. */
export interface InitOptions extends Partial<Place> {
  /** `nccl` for tensors on NVIDIA GPUs next to those on CPUs; it has not run on a GPU yet. Default `gloo`. */
  backend?: Backend;
  /** Seconds that ranks wait for each other, at the beginning and in every collective. Default 600. */
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

/** The variable by which `srrl launch --timeout` tells its processes. */
export const timeoutVariable = 'SRRL_DISTRIBUTED_TIMEOUT';

/**
 * Joins the group, once a process, and resolves when all ranks have come. Without options by the variables of torchrun
 * (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`), Slurm or Open MPI. Throws ConfigError where these
 * are missing or contradict each other, and DistributedError naming the ranks that do not come.
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
      "This addon was not built with Gloo. Build it against PyTorch's libtorch, which has it: `npx srrl install-libtorch`, then `npx srrl build --force`.",
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

/** At once, and not after the timeout. */
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

/** Number of this process, from 0; 0 without a group. */
export const getRank = (): number => native().distributedInfo()?.rank ?? 0;

/** Number of processes; 1 without a group. */
export const getWorldSize = (): number => native().distributedInfo()?.size ?? 1;

/** What carries the collectives of the group; undefined without one. */
export const getBackend = (): Backend | undefined => native().distributedInfo()?.backend as Backend | undefined;

const handlesOf = (tensors: Tensor | readonly Tensor[]): number[] => [tensors].flat().map((tensor) => tensor.handle);

/** Makes tensors, in place, the sum (or product, minimum, maximum) of those of all ranks. */
export async function allReduce(
  tensors: Tensor | readonly Tensor[],
  { op = 'sum' }: { op?: ReduceOp } = {},
): Promise<void> {
  checkCall('distributed.allReduce', ['tensors'], { op: ['sum', 'product', 'min', 'max'] }, arguments);
  await native().distributedAllReduce(handlesOf(tensors), op, true);
}

/** Makes tensors, in place, those of rank `source` (default 0). */
export async function broadcast(
  tensors: Tensor | readonly Tensor[],
  { source = 0 }: { source?: number } = {},
): Promise<void> {
  checkCall('distributed.broadcast', ['tensors'], { source: 'number' }, arguments);
  await native().distributedBroadcast(handlesOf(tensors), checkedRank(source), true);
}

/** The tensors of all ranks, which have the same shape, as one of shape [ranks, ...]. */
export async function allGather(tensor: Tensor): Promise<Tensor> {
  checkCall('distributed.allGather', ['tensor'], undefined, arguments);
  return owned(new Tensor(await native().distributedAllGather(tensor.handle, true)));
}

/** Resolves when all ranks have called it. */
export async function barrier(): Promise<void> {
  checkCall('distributed.barrier', [], undefined, arguments);
  await native().distributedBarrier(true);
}

/** Leaves the group, after all ranks have come here. */
export async function destroy(): Promise<void> {
  checkCall('distributed.destroy', [], undefined, arguments);
  if (!isInitialized()) return;
  await native().distributedBarrier(true);
  await native().distributedDestroy();
}

/**
 * Tells the other ranks, which wait for this one, why it ends; resolves when they have had time to read it.
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
