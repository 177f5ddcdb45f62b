import type { DatasetKind } from '../dataset.js';
import { openPacked } from '../formats/packed.js';

export const packed: DatasetKind = {
  kind: 'packed',
  usage: 'packed:FILE',
  summary: 'a file of srrl pack, mapped into memory',
  async open(path) {
    return openPacked(path);
  },
};
