/** Node flags of the package's threads. */
import type { WorkerOptions } from 'node:worker_threads';

/**
 * Returns options that leave a new thread the flags of this process. A program that is given as text, by
 * `node --input-type=module -e`, has a flag with which Node.js refuses files: its threads get no flags.
 */
export const threadFlags = (): Pick<WorkerOptions, 'execArgv'> =>
  process.execArgv.some((flag) => flag.startsWith('--input-type')) ? { execArgv: [] } : {};
