/** The losses of SRRL by a kernel, with their gradients, against libtorch's operators in float64. */
import { beforeAll, describe, expect, it } from 'vitest';
import { bothLosses } from '../../src/distill/both-losses.js';
import type { TeacherContract } from '../../src/distill/method.js';
import { functional as F } from '../../src/nn/index.js';
import {
  autocast,
  installKernels,
  manualSeed,
  refusedKernels,
  type Tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

const sizes = [
  [1, 1, 1],
  [3, 7, 5],
  [64, 256, 100],
  [5, 300, 1000],
  // By matrix products.
  [3, 530, 9],
] as const;
const types = [
  ['float32', 'float32'],
  ['bfloat16', 'bfloat16'],
  ['bfloat16', 'float32'],
  ['float32', 'bfloat16'],
] as const;
const cases = sizes.flatMap((size) => types.map(([own, teachers]) => ({ size, own, teachers })));

describe.skipIf(!isThere)('feature matching and softmax regression', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.each(cases)('$size, r(h_S) in $own, teacher in $teachers', ({ size: [images, width, classes], own, teachers }) => {
    manualSeed(4);
    const draw = (shape: number[], dtype: 'float32' | 'bfloat16') => torch.randn(shape).to({ dtype });
    const feature = draw([images, width], own);
    const [target, logits] = [draw([images, width], teachers), draw([images, classes], teachers)];
    const [weight, bias] = [torch.randn([classes, width]).mul(0.2), torch.randn([classes])];
    const run = (change: (tensor: Tensor) => Tensor) => {
      const x = change(feature).detach();
      x.requiresGrad = true;
      const [h, z, w, b] = [target, logits, weight, bias].map(change) as [Tensor, Tensor, Tensor, Tensor];
      const contract = { weight: w, bias: b, classify: (r: Tensor) => F.linear(r, w, b) } as TeacherContract;
      const { fm, sr } = bothLosses({ pooled: h, logits: z, stages: [] }, x, contract);
      fm.mul(3).add(sr.mul(0.5)).backward();
      return [fm, sr, x.grad as Tensor].map((tensor) => tensor.detach().to({ device: 'cpu', dtype: 'float64' }));
    };
    // As in a run: autocast decides what the plain operators, against which a kernel is judged, compute in.
    const type = device.replace(/:.*/, '');
    const mixed = own === 'bfloat16' || teachers === 'bfloat16';
    const onDevice = () => run((tensor) => tensor.to({ device }));
    const ours = withKernels(() => autocast(type, onDevice, { dtype: 'bfloat16', enabled: mixed }));
    const exact = run((tensor) => tensor.to({ dtype: 'float64' }));
    for (const [i, tensor] of ours.entries()) {
      const expected = exact[i] as Tensor;
      const error = Number(tensor.sub(expected).norm().item()) / Number(expected.norm().item());
      expect(error, ['L_FM', 'L_SR', 'gradient'][i]).toBeLessThan(i === 2 && own === 'bfloat16' ? 4e-3 : 1e-6);
    }
    expect(refusedKernels(device)).toEqual([]);
  });
});
