import { loadExported } from '../../distill/exported/load.js';
import { cardText } from '../card.js';
import { withFixedBatch } from '../fixed-batch.js';
import type { Format } from '../format.js';
import { writeProgram } from '../pt2/archive.js';
import { runtimeOf } from './torchscript.js';

export const pt2: Format = {
  name: 'pt2',
  summary: 'a program of torch.export, for torch.export.load and AOTInductor',
  endings: ['.pt2'],
  takes: ['withPreprocessing', 'fold', 'half', 'batch'],
  write(network, path) {
    const { graph, card } = network;
    const { batch } = card;
    writeProgram(path, batch === 'dynamic' ? graph : withFixedBatch(graph, batch), cardText(network));
  },
  async open(path) {
    return runtimeOf((await loadExported(path)).module);
  },
};
