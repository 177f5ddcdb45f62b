import type { DatasetKind } from '../dataset.js';
import { openPacked } from '../formats/packed.js';
import { addressOf, isAddress } from '../remote/address.js';
import { RemoteFiles } from '../remote/remote-files.js';

export const packed: DatasetKind = {
  kind: 'packed',
  usage: 'packed:FILE_OR_ADDRESS',
  summary: 'a file of srrl pack, mapped into memory; one of https:// or s3:// is first brought into the shard cache',
  remote: true,
  async open(path, settings) {
    if (!isAddress(path)) return openPacked(path);
    const address = addressOf(path);
    const files = new RemoteFiles(settings);
    return openPacked(await files.need(address, await files.open(address)), address.shown);
  },
};
