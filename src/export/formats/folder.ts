/** A model folder for the Hugging Face hub. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportedWeights } from '../../distill/saved-student.js';
import { loadSafetensors, saveSafetensors } from '../../files/index.js';
import type { Format } from '../format.js';
import { configOf, preprocessorOf } from '../hub/config.js';
import { factsOf } from '../hub/facts.js';
import { modelCard } from '../hub/model-card.js';
import { comparedWeights } from '../verify.js';
import { onnx } from './onnx.js';

const names = { weights: exportedWeights, network: 'model.onnx' };

export const folder: Format = {
  name: 'folder',
  summary: 'for the Hugging Face hub: weights, ONNX, config.json, preprocessor_config.json and a model card',
  endings: [],
  takes: onnx.takes.filter((option) => option !== 'withPreprocessing'),
  async write(network, path) {
    const facts = factsOf(network);
    const put = (name: string, content: string) => writeFileSync(join(path, name), content);
    const size = (name: string) => statSync(join(path, name)).size;
    mkdirSync(path);
    const metadata = { format: 'pt', srrl: JSON.stringify(facts.student) };
    saveSafetensors(join(path, names.weights), network.model.stateDict(), metadata);
    await onnx.write(network, join(path, names.network));
    put('config.json', `${JSON.stringify(configOf(facts), null, 2)}\n`);
    put('preprocessor_config.json', `${JSON.stringify(preprocessorOf(facts), null, 2)}\n`);
    put('README.md', modelCard(facts, { weights: size(names.weights), network: size(names.network) }));
  },
  async open(path, network) {
    const { tensors } = loadSafetensors(join(path, names.weights));
    comparedWeights(tensors, network, path);
    if (!onnx.open) throw new Error('the format of ONNX has no runtime');
    return onnx.open(join(path, names.network), network);
  },
};
