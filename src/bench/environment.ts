import { cpus, freemem, totalmem } from 'node:os';
import { native } from '../native.js';

/** The environment in which numbers were measured; without it they mean nothing. */
export interface Environment {
  date: string;
  node: string;
  libtorch: string;
  processor: string;
  cores: number;
  threads: number;
  devices: string[];
  memoryGiB: number;
  freeGiB: number;
  system: string;
}

const gibibytes = (bytes: number): number => Number((bytes / 2 ** 30).toFixed(1));

export const environment = (): Environment => ({
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  libtorch: native().libtorchVersion,
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  threads: native().numThreads(),
  devices: native().devices(),
  memoryGiB: gibibytes(totalmem()),
  freeGiB: gibibytes(freemem()),
  system: `${process.platform} ${process.arch}`,
});
