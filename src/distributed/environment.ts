/** Which process of how many this is, as launchers say it in environment variables. */
import { ConfigError } from '../errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a process stands in its group. */
export interface Place {
  rank: number;
  worldSize: number;
  /** Number of this process on its machine: chooses its GPU. */
  localRank: number;
  /** Where rank 0, or the launcher, has the store in which the processes find each other. */
  address: string;
  port: number;
  /** Whether the launcher runs the store; otherwise rank 0 does. */
  launcherHasStore: boolean;
  /** How many times the launcher has started the processes again. */
  restarts: number;
}

const defaultPort = 29500;

/** How each launcher names what it says. Those of torchrun win, so that a script can override its scheduler. */
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
 * The place that a launcher gave this process, or undefined where none did. Throws ConfigError where variables are
 * missing, no numbers, or contradict each other.
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

/** A shell in a Slurm allocation has the variables of one task, and nobody to meet. */
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
  // mpirun says how many of its processes are here.
  const isAlone = worldSize === 1 || environment.OMPI_COMM_WORLD_LOCAL_SIZE === String(worldSize);
  const address = environment.MASTER_ADDR || (nodes && firstNode(nodes)) || (isAlone ? '127.0.0.1' : '');
  if (address === '')
    throw new ConfigError(
      'MASTER_ADDR is not set: it is the name or address of the machine of rank 0, as in MASTER_ADDR=node1 (localhost where all processes are on one machine).',
    );
  return { address, port };
}

/** Jobs that share a machine have ports of their own. */
function portOfJob(environment: Environment): number {
  const job = Number(environment.SLURM_JOB_ID ?? Number.NaN);
  return Number.isInteger(job) ? defaultPort + (job % 10_000) : defaultPort;
}

/** `node1` of `node[1-4,7],other`, with leading zeros as they stand. */
export function firstNode(list: string): string {
  const [, prefix = '', inner, rest = ''] = /^([^[,]*)(?:\[([^\]]*)\]([^,[]*))?/.exec(list.trim()) ?? [];
  return prefix + (inner?.split(/[,-]/)[0] ?? '') + rest;
}
