/** The kinds of data sets. A new kind is a file in this folder and a line here; a test walks the folder. */
import { checkCall, type Kinds } from '../../call.js';
import { DataError } from '../../errors.js';
import { validate } from '../../options.js';
import { didYouMean } from '../../suggest.js';
import type { Dataset, DatasetKind } from '../dataset.js';
import { isAddress } from '../remote/address.js';
import { type RemoteOptions, remoteOptions, settingsOf } from '../remote/options.js';
import { withoutOptions } from '../source-options.js';
import { cifar10 } from './cifar10.js';
import { cifar100 } from './cifar100.js';
import { fashionMnist } from './fashion-mnist.js';
import { imageFolder } from './folder.js';
import { mnist } from './mnist.js';
import { packed } from './packed.js';
import { parquet } from './parquet.js';
import { shapesKind } from './shapes.js';
import { shards } from './shards.js';

/** The kinds of data sets, each with the syntax to open one. */
export const datasetKinds: readonly DatasetKind[] = [
  shapesKind,
  mnist,
  fashionMnist,
  cifar10,
  cifar100,
  imageFolder,
  shards,
  parquet,
  packed,
];

/** How {@link openDataset} reads remote files. */
export interface OpenOptions extends RemoteOptions {
  /** Called with the number of shards that are indexed, and the number of all. */
  onProgress?: (done: number, all: number) => void;
}

const kinds: Kinds<OpenOptions> = {
  shardCache: 'string',
  shardCacheSize: 'number',
  shardTimeout: 'number',
  shardRetries: 'number',
  onProgress: 'any',
};

/**
 * Opens a data set by `kind:path`; `options` control how remote files are read. Throws DataError if the kind is unknown
 * or the data are missing or damaged.
 */
export async function openDataset(source: string, options: OpenOptions = {}): Promise<Dataset> {
  checkCall('openDataset', ['source'], kinds, arguments);
  const { onProgress, ...remote } = options;
  validate(remoteOptions, remote, 'the options of openDataset()');
  const [, kind = '', path = ''] = source.match(/^([^:]*):?(.*)$/s) ?? [];
  const found = datasetKinds.find((candidate) => candidate.kind === kind);
  if (!found) {
    const names = datasetKinds.map((candidate) => candidate.kind);
    throw new DataError(
      `'${kind}' is not a kind of data set; there are ${datasetKinds.map(({ usage }) => usage).join(', ')}.${didYouMean(kind, names)}`,
    );
  }
  if (path === '' && found.usage.startsWith(`${kind}:`)) throw new DataError(`${kind} needs a path: ${found.usage}.`);
  if (isAddress(path) && !found.remote)
    throw new DataError(`${kind}: takes no address; shards: and packed: are read over the network.`);
  if (!found.options) withoutOptions(kind, path);
  return found.open(path, settingsOf(remote), onProgress);
}
