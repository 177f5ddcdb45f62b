import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import { type DatasetKind, imagenetStatistics, numberedClasses } from '../dataset.js';
import { linesOf } from '../files.js';
import { localShard } from '../formats/local-shard.js';
import { classesIn, encodedSet, type Shard } from '../formats/shard.js';
import { isAddress, withoutSecrets } from '../remote/address.js';
import { addressesOf, isList, openRemoteShards, type ShardSplits } from '../remote/remote-shards.js';
import { sizeOption, sourceOptions } from '../source-options.js';
import { entriesIn, type Skipped, skip, skippedOf } from '../walk.js';

function readSplit(path: string, prefixes: string[], skipped: Skipped): Shard[] {
  const shards: Shard[] = [];
  for (const { name, kind } of entriesIn(path)) {
    if (!name.endsWith('.tar') || !prefixes.some((prefix) => name.startsWith(prefix))) continue;
    if (kind) skip(skipped, kind);
    else shards.push(localShard(join(path, name), skipped));
  }
  if (shards.length > 0) return shards;
  throw new DataError(`${path} has no shard ${prefixes.map((prefix) => `${prefix}*.tar`).join(' or ')}.`);
}

function openFolder(folder: string, path: string): ShardSplits {
  if (!existsSync(folder)) throw new DataError(`The folder ${folder} of shards:${path} does not exist.`);
  const skipped: Skipped = new Map();
  const [train, test] = [readSplit(folder, ['train'], skipped), readSplit(folder, ['val', 'test'], skipped)];
  const names = join(folder, 'classes.txt');
  return { train, test, skipped, notices: [], ...(existsSync(names) && { names: linesOf(names) }) };
}

const options = z.strictObject({ size: sizeOption });

export const shards: DatasetKind = {
  kind: 'shards',
  usage: 'shards:DIR_OR_ADDRESS[?size=N]',
  summary:
    'tar shards train-*.tar and val-*.tar (or test-*) of KEY.jpg and KEY.cls, as WebDataset has them, in a folder or as https://host/{train-{0000..0146},val-{0000..0006}}.tar, s3://bucket/..., or a .txt file of addresses',
  options,
  remote: true,
  async open(path, settings, onProgress) {
    const { place, options: chosen } = sourceOptions('shards', path, options);
    const list = !isAddress(place) && isList(place);
    const { train, test, names, skipped, notices } =
      list || isAddress(place)
        ? await openRemoteShards(addressesOf(place, list), settings, onProgress)
        : openFolder(place, path);
    const count = Math.max(2, classesIn([...train, ...test]));
    const source = withoutSecrets(`shards:${path}`);
    if (names && names.length < count)
      throw new DataError(
        `The classes.txt of ${source} names ${names.length} classes; the shards have number ${count - 1}.`,
      );
    const classes = names ?? numberedClasses(count);
    return {
      ...skippedOf(skipped),
      ...(notices.length > 0 && { notices }),
      source,
      classes,
      channels: 3,
      height: chosen.size,
      width: chosen.size,
      ...imagenetStatistics,
      augment: { pad: 0, flip: true },
      train: encodedSet(train, classes.length),
      test: encodedSet(test, classes.length),
    };
  },
};
