import { loadSafetensors, saveSafetensors } from '../../files/index.js';
import { cardText } from '../card.js';
import type { Format } from '../format.js';

export const safetensors: Format = {
  name: 'safetensors',
  summary: 'the weights by name, for Hugging Face, PyTorch, Candle and others',
  endings: ['.safetensors'],
  takes: [],
  write(network, path) {
    saveSafetensors(path, network.model.stateDict(), { format: 'pt', srrl: cardText(network) });
  },
  readBack: (path) => loadSafetensors(path).tensors,
};
