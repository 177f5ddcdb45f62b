import { loadSafetensors, saveSafetensors } from '../../files/index.js';
import type { Format } from '../format.js';

export const safetensors: Format = {
  name: 'safetensors',
  summary: 'the weights by name, for Hugging Face, PyTorch, Candle and others',
  endings: ['.safetensors'],
  takes: [],
  write({ model, card }, path) {
    saveSafetensors(path, model.stateDict(), { format: 'pt', srrl_export: JSON.stringify(card) });
  },
  readBack: (path) => loadSafetensors(path).tensors,
};
