import { Conv2d, fastConvolutions } from '../../nn/index.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../../tensor/index.js';
import { milliseconds } from '../clock.js';
import type { Case, OpenCase, Suite } from '../suite.js';

interface Layer {
  from: number;
  to: number;
  /** Height and width of the map. */
  size: number;
  batch: number;
}

/** Layers of the CIFAR pairs, and of ResNet on 224x224 images. */
const layers: readonly Layer[] = [
  { from: 16, to: 32, size: 32, batch: 64 },
  { from: 32, to: 32, size: 32, batch: 64 },
  { from: 64, to: 64, size: 16, batch: 64 },
  { from: 128, to: 128, size: 8, batch: 64 },
  { from: 256, to: 256, size: 8, batch: 64 },
  { from: 64, to: 64, size: 56, batch: 8 },
  { from: 128, to: 128, size: 28, batch: 8 },
  { from: 256, to: 256, size: 14, batch: 8 },
];

const kinds = { forward, 'forward and backward': forwardAndBackward } as const;

export const convSuite: Suite = {
  name: 'conv',
  summary: "the speed of our 3x3 convolutions, to that of libtorch's",
  rounds: 9,
  cpuOnly: 'its convolutions are for CPUs',
  cases: ({ tiny }) =>
    layers.flatMap((layer) =>
      Object.entries(kinds).map(
        ([kind, pass]): Case => ({
          name: `${layer.from} -> ${layer.to}, ${layer.size}x${layer.size}, batch ${layer.batch}, ${kind}`,
          unit: 'times',
          better: 'higher',
          peers: [],
          open: () => open({ ...layer, ...(tiny && { batch: 1 }) }, pass),
        }),
      ),
    ),
};

type Pass = (conv: Conv2d, x: Tensor, gradient: Tensor) => void;

function open({ from, to, size, batch }: Layer, pass: Pass): OpenCase {
  const conv = new Conv2d(from, to, 3, { padding: 1, bias: false }).to({ memoryFormat: 'channelsLast' });
  const map = (channels: number) =>
    scope(() => keep(torch.randn([batch, channels, size, size]).contiguous({ memoryFormat: 'channelsLast' })));
  const [x, gradient] = [map(from).requiresGrad_(true), map(to)];
  const time = (body: () => void) => milliseconds(() => scope(body));
  return {
    question: {},
    async measure() {
      const plain = await time(() => pass(conv, x, gradient));
      return plain / (await time(() => fastConvolutions(() => pass(conv, x, gradient))));
    },
    dispose() {
      for (const thing of [conv, x, gradient]) thing.dispose();
    },
  };
}

function forward(conv: Conv2d, x: Tensor): void {
  noGrad(() => void conv.forward(x));
}

function forwardAndBackward(conv: Conv2d, x: Tensor, gradient: Tensor): void {
  conv.forward(x).backward(gradient);
  x.grad = null;
  conv.weight.grad = null;
}
