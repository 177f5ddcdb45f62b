import { writeFileSync } from 'node:fs';
import { native } from '../../native.js';
import { noGrad, ScriptModule, type Tensor } from '../../tensor/index.js';
import { cardText } from '../card.js';
import type { Format, Runtime } from '../format.js';
import { scriptBytes } from '../torchscript.js';

export const torchScript: Format = {
  name: 'torchscript',
  summary: 'TorchScript, for torch.jit.load in Python and C++, and PyTorch Mobile',
  endings: ['.torchscript.pt', '.torchscript', '.pt'],
  takes: ['withPreprocessing', 'fold', 'half'],
  write(network, path) {
    writeFileSync(path, scriptBytes(network.graph, cardText(network)));
  },
  async open(path) {
    return runtimeOf(ScriptModule.load(path, { keepPrecision: true }));
  },
};

/** A module run by libtorch's interpreter. */
export function runtimeOf(module: ScriptModule): Runtime {
  return {
    name: `libtorch ${native().libtorchVersion}`,
    run: (images) => noGrad(() => (module.forward(images) as Tensor).to('float32')),
    dispose: () => module.dispose(),
  };
}
