import { join } from 'node:path';
import { cacheFolder } from '../../libtorch/locate.js';
import { z } from '../../options.js';

/** How remote shards and packed files are read. */
export const remoteOptions = z.strictObject({
  shardCache: z
    .string()
    .min(1)
    .optional()
    .describe('folder that keeps what is read over the network; default $SRRL_SHARD_CACHE, or a folder of the user'),
  shardCacheSize: z
    .number()
    .positive()
    .default(20)
    .describe('GiB that this folder may hold; what was used least recently is removed'),
  shardTimeout: z
    .number()
    .positive()
    .max(300)
    .default(30)
    .describe('seconds without a byte from the network after which a request is tried again'),
  shardRetries: z.int().min(0).default(5).describe('times that a request is tried again, after growing pauses'),
});

/** How data sets with an address are read: the cache for their shards, and retries. */
export type RemoteOptions = z.input<typeof remoteOptions>;

/** Picks the remote options from a larger set of options. */
export const remoteOf = (options: RemoteOptions): RemoteOptions =>
  Object.fromEntries(
    Object.entries(options).filter(([name, value]) => name in remoteOptions.shape && value !== undefined),
  );

/** The options in the form that the network thread needs. */
export interface RemoteSettings {
  folder: string;
  /** The most bytes that the cache folder may hold. */
  limit: number;
  /** Timeout in seconds. */
  timeout: number;
  retries: number;
}

export function settingsOf(options: RemoteOptions = {}): RemoteSettings {
  const { shardCache, shardCacheSize, shardTimeout, shardRetries } = remoteOptions.parse(options);
  return {
    folder: shardCache ?? process.env.SRRL_SHARD_CACHE ?? join(cacheFolder(), 'shards'),
    limit: Math.floor(shardCacheSize * 2 ** 30),
    timeout: shardTimeout,
    retries: shardRetries,
  };
}
