import { join } from 'node:path';
import { savePth } from '../../files/index.js';
import type { Classifier } from '../../models/index.js';
import { AdamW, SGD } from '../../optim/index.js';
import { DeviceGraph, keep, manualSeed, scope, type Tensor, functions as torch } from '../../tensor/index.js';
import { milliseconds } from '../clock.js';
import { initial } from '../pairs.js';
import { caseSuffix } from '../sizes.js';
import type { BenchContext, Case, OpenCase, PeerForm, Suite } from '../suite.js';

/** The peer receives the same settings under its own names. */
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

const networks = { wrn_16_2: { classes: 100, steps: 100 }, resnet18: { classes: 1000, steps: 10 } };

const peers: readonly PeerForm[] = [
  { name: 'as it comes', variant: 'default' },
  { name: 'foreach', variant: 'foreach' },
  { name: 'fused', variant: 'fused' },
];
const onGpu: readonly PeerForm[] = [{ name: 'fused, in one CUDA graph', variant: 'graph' }, ...peers];

export const optimSuite: Suite = {
  name: 'optim',
  summary: 'one step of the optimizer over all parameters of a network',
  peer: 'optim.py',
  rounds: 9,
  cases: (context) =>
    Object.entries(networks).flatMap(([network, { classes, steps }]) =>
      (Object.keys(optimizers) as Name[]).map(
        (name): Case => ({
          name: `${name}, ${network}${caseSuffix({ ...context, precision: 'float32' })}`,
          unit: 'ms',
          better: 'lower',
          peers: context.device === 'cpu' ? peers : onGpu,
          open: () => open(name, initial(network, classes, 3), context.tiny ? 3 : steps, context),
        }),
      ),
    ),
};

function open(name: Name, module: Classifier, steps: number, { folder, device }: BenchContext): OpenCase {
  const file = join(folder, `${name}.pth`);
  const { create, settings } = optimizers[name];
  const params = [...module.to({ device }).parameters()];
  scope(() => {
    manualSeed(4);
    for (const param of params) param.grad = torch.randnLike(param).mul(0.01);
    const onCpu = (tensors: Tensor[]) => tensors.map((tensor) => tensor.detach().to({ device: 'cpu' }));
    savePth(file, { params: onCpu(params), gradients: onCpu(params.map(({ grad }) => grad as Tensor)) });
  });
  const optimizer = create(params);
  const step = stepOf(optimizer, device);
  const several = () => {
    for (let i = 0; i < steps; i++) step.do();
  };
  return {
    question: { file, name, settings, steps, device },
    check: () =>
      scope(() => {
        several();
        const magnitudes = params.map((param) => param.detach().abs().mean());
        return { 'mean magnitude of the parameters': Number(torch.stack(magnitudes).mean().item()) };
      }),
    measure: async () => (await milliseconds(several, device)) / steps,
    dispose() {
      step.dispose();
      optimizer.dispose();
      module.dispose();
    },
  };
}

/** Returns a step as in a run: captured once the optimizer's state for each parameter exists. */
function stepOf(optimizer: SGD | AdamW, device: string): { do(): void; dispose(): void } {
  if (!DeviceGraph.availableOn(device)) return { do: () => scope(() => optimizer.step()), dispose() {} };
  const lr = scope(() => keep(torch.full([], optimizer.paramGroups[0]?.lr ?? 0, { dtype: 'float32', device })));
  const foundInf = scope(() => keep(torch.zeros([], { device })));
  const step = () => scope(() => optimizer.step({ lr: [lr], foundInf }));
  let done = 0;
  let graph: DeviceGraph | undefined;
  return {
    do() {
      if (done++ < 2) return step();
      graph ??= DeviceGraph.record(device, step);
      graph.replay();
    },
    dispose() {
      for (const holder of [graph, lr, foundInf]) holder?.dispose();
    },
  };
}
