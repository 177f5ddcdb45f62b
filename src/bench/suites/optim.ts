import { join } from 'node:path';
import { savePth } from '../../files/index.js';
import { AdamW, SGD } from '../../optim/index.js';
import { manualSeed, scope, type Tensor, functions as torch } from '../../tensor/index.js';
import { initial } from '../pairs.js';
import { type BenchContext, type Case, milliseconds, type OpenCase, type Suite } from '../suite.js';

/** The same settings are sent to the peer, in its names. */
const optimizers = {
  SGD: {
    create: (params: Tensor[]) => new SGD(params, { lr: 0.01, momentum: 0.9, weightDecay: 5e-4 }),
    settings: { lr: 0.01, momentum: 0.9, weight_decay: 5e-4 },
  },
  AdamW: {
    create: (params: Tensor[]) => new AdamW(params, { lr: 1e-3, weightDecay: 0.05 }),
    settings: { lr: 1e-3, weight_decay: 0.05 },
  },
} as const;
type Name = keyof typeof optimizers;

const networks = { wrn_16_2: 100, resnet18: 1000 };

export const optimSuite: Suite = {
  name: 'optim',
  summary: 'one step of the optimizer over all parameters of a network',
  peer: 'optim.py',
  rounds: 9,
  cases: (context) =>
    Object.entries(networks).flatMap(([network, classes]) =>
      (Object.keys(optimizers) as Name[]).map(
        (name): Case => ({
          name: `${name}, ${network}`,
          unit: 'ms',
          better: 'lower',
          peers: [
            { name: 'as it comes', variant: 'default' },
            { name: 'foreach', variant: 'foreach' },
            { name: 'fused', variant: 'fused' },
          ],
          open: () => open(name, network, classes, context),
        }),
      ),
    ),
};

function open(name: Name, network: string, classes: number, { tiny, folder }: BenchContext): OpenCase {
  const module = initial(network, classes, 3);
  const params = [...module.parameters()];
  const file = join(folder, `${network}-${name}.pth`);
  scope(() => {
    manualSeed(4);
    for (const param of params) param.grad = torch.randnLike(param).mul(0.01);
    savePth(file, { params: params.map((param) => param.detach()), gradients: params.map(({ grad }) => grad) });
  });
  const { create, settings } = optimizers[name];
  const optimizer = create(params);
  const steps = tiny ? 1 : network === 'resnet18' ? 10 : 100;
  const several = () => {
    for (let i = 0; i < steps; i++) scope(() => optimizer.step());
  };
  return {
    question: { file, name, settings, steps },
    check: () =>
      scope(() => {
        several();
        const magnitudes = params.map((param) => param.detach().abs().mean());
        return { 'mean magnitude of the parameters': Number(torch.stack(magnitudes).mean().item()) };
      }),
    measure: async () => (await milliseconds(several)) / steps,
    dispose() {
      optimizer.dispose();
      module.dispose();
    },
  };
}
