/** Reads the rank and the number of processes from the environment variables of launchers. */
import { ConfigError } from '../errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The position of a process in its group. */
export interface Place {
  rank: number;
  worldSize: number;
  /** Number of this process on its machine, which selects its GPU. */
  localRank: number;
  /** Host of the store, run by rank 0 or the launcher, through which the processes find each other. */
  address: string;
  port: number;
  /** Whether the launcher runs the store; otherwise rank 0 does. */
  launcherHasStore: boolean;
  /** How many times the launcher has restarted the processes. */
  restarts: number;
}

const defaultPort = 29500;

/** Variable names of each launcher. torchrun's come first, so that a script can override its scheduler. */
const launchers = [
  { name: 'torchrun', rank: 'RANK', worldSize: 'WORLD_SIZE', localRank: 'LOCAL_RANK' },
  { name: 'Slurm', rank: 'SLURM_PROCID', worldSize: 'SLURM_NTASKS', localRank: 'SLURM_LOCALID' },
  {
    name: 'Open MPI',
    rank: 'OMPI_COMM_WORLD_RANK',
    worldSize: 'OMPI_COMM_WORLD_SIZE',
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
  },
] as const;

/**
 * Returns the position that a launcher assigned to this process; undefined without a launcher. Throws ConfigError if
 * variables are missing, are not numbers, or contradict each other.
 */
export function placeFrom(environment: Environment = process.env): Place | undefined {
  const launcher = launchers.find(({ rank, worldSize }) => isSet(environment, rank) || isSet(environment, worldSize));
  if (!launcher || isInteractive(environment, launcher.name)) return undefined;
  const needed = (name: string): number => {
    if (!isSet(environment, name))
      throw new ConfigError(
        `${launcher.rank} and ${launcher.worldSize} belong together, and ${name} is not set. Start the processes by torchrun, srun, mpirun or srrl launch, or unset both.`,
      );
    return wholeNumber(environment, name);
  };
  const [rank, worldSize] = [needed(launcher.rank), needed(launcher.worldSize)];
  if (worldSize < 1 || rank >= worldSize)
    throw new ConfigError(
      `${launcher.rank}=${rank} and ${launcher.worldSize}=${worldSize} contradict each other: ranks go from 0 to the number of processes less 1.`,
    );
  const localRank = isSet(environment, launcher.localRank) ? wholeNumber(environment, launcher.localRank) : 0;
  return {
    rank,
    worldSize,
    localRank,
    ...meetingPlace(environment, worldSize),
    launcherHasStore: environment.TORCHELASTIC_USE_AGENT_STORE === 'True',
    restarts: isSet(environment, 'TORCHELASTIC_RESTART_COUNT')
      ? wholeNumber(environment, 'TORCHELASTIC_RESTART_COUNT')
      : 0,
  };
}

const isSet = (environment: Environment, name: string): boolean => (environment[name] ?? '') !== '';

/** Whether this is a shell in a Slurm allocation: it has the variables of one task but no other processes. */
const isInteractive = (environment: Environment, launcher: string): boolean =>
  launcher === 'Slurm' && !isSet(environment, 'SLURM_STEP_ID');

function wholeNumber(environment: Environment, name: string): number {
  const text = environment[name] ?? '';
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw new ConfigError(`${name}=${text} is not a whole number from 0 on.`);
}

function meetingPlace(environment: Environment, worldSize: number): { address: string; port: number } {
  const port = isSet(environment, 'MASTER_PORT') ? wholeNumber(environment, 'MASTER_PORT') : portOfJob(environment);
  if (port < 1 || port > 65535) throw new ConfigError(`MASTER_PORT=${port} is not a port: use one from 1 to 65535.`);
  const nodes = environment.SLURM_STEP_NODELIST ?? environment.SLURM_JOB_NODELIST;
  // mpirun sets the number of its processes on this machine.
  const isAlone = worldSize === 1 || environment.OMPI_COMM_WORLD_LOCAL_SIZE === String(worldSize);
  const address = environment.MASTER_ADDR || (nodes && firstNode(nodes)) || (isAlone ? '127.0.0.1' : '');
  if (address === '')
    throw new ConfigError(
      'MASTER_ADDR is not set: it is the name or address of the machine of rank 0, as in MASTER_ADDR=node1 (localhost where all processes are on one machine).',
    );
  return { address, port };
}

/** A port derived from the Slurm job id, so that jobs on one machine use different ports. */
function portOfJob(environment: Environment): number {
  const job = Number(environment.SLURM_JOB_ID ?? Number.NaN);
  return Number.isInteger(job) ? defaultPort + (job % 10_000) : defaultPort;
}

/** Returns the first host of a Slurm node list: `node1` of `node[1-4,7],other`. Leading zeros are kept. */
export function firstNode(list: string): string {
  const [, prefix = '', inner, rest = ''] = /^([^[,]*)(?:\[([^\]]*)\]([^,[]*))?/.exec(list.trim()) ?? [];
  return prefix + (inner?.split(/[,-]/)[0] ?? '') + rest;
}
