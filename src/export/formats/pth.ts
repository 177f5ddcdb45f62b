import { loadPth, savePth } from '../../files/index.js';
import type { StateDict } from '../../nn/index.js';
import type { Format } from '../format.js';

export const pth: Format = {
  name: 'pth',
  summary: 'the weights by name, for load_state_dict in PyTorch',
  endings: ['.pth'],
  takes: [],
  write({ model }, path) {
    savePth(path, model.stateDict());
  },
  readBack: async (path) => (await loadPth(path)) as StateDict,
};
