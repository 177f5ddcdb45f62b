/** The cross-entropy by a kernel, with its gradient and the number of right labels, against libtorch's in float64. */
import { beforeAll, describe, expect, it } from 'vitest';
import { labelLoss, type StepValues } from '../../src/distill/method.js';
import {
  installKernels,
  manualSeed,
  refusedKernels,
  type Tensor,
  tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { nn } from '../../src/torch.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

const sizes = [
  [1, 2],
  [3, 7],
  [64, 100],
  [5, 128],
  [7, 129],
  [13, 1000],
  [2, 1024],
  // More than the kernel does.
  [3, 1500],
] as const;
const kinds = (['float32', 'bfloat16'] as const).flatMap((dtype) =>
  [0, 0.1].flatMap((labelSmoothing) => [true, false].map((numbers) => ({ dtype, labelSmoothing, numbers }))),
);

const values = (labels: Tensor, labelSmoothing: number) => ({ labels, labelSmoothing }) as StepValues;

/** Loss, gradient and number of right labels on the device. */
function onDevice(logits: Tensor, labels: Tensor, labelSmoothing = 0) {
  return withKernels(() => {
    const x = logits.to({ device }).detach();
    x.requiresGrad = true;
    let right: Tensor | undefined;
    const counted = (_: Tensor, count: Tensor) => {
      right = count;
    };
    const loss = labelLoss({ ...values(labels.to({ device }), labelSmoothing), counted }, x);
    loss.mul(3).backward();
    return { loss: loss.item() as number, gradient: x.grad as Tensor, right: Number(right?.item()) };
  });
}

/** The same on the CPU, in the type of the logits. */
function onCpu(logits: Tensor, labels: Tensor, labelSmoothing = 0) {
  const x = logits.detach();
  x.requiresGrad = true;
  const loss = nn.functional.crossEntropy(x, labels, { labelSmoothing });
  loss.mul(3).backward();
  return { loss: loss.item() as number, gradient: x.grad as Tensor };
}

describe.skipIf(!isThere)('cross-entropy', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.each(sizes)('of %i images and %i classes', (images, classes) => {
    for (const { dtype, labelSmoothing, numbers } of kinds) {
      if (classes > 1024 && dtype === 'bfloat16') continue;
      manualSeed(images + classes);
      const logits = torch.randn([images, classes]).mul(3).to({ dtype });
      const labels = numbers
        ? torch.randint(0, classes, [images], { dtype: 'int64' })
        : torch.softmax(torch.randn([images, classes]), 1);
      const ours = onDevice(logits, labels, labelSmoothing);
      const exact = onCpu(logits.to('float64'), numbers ? labels : labels.to('float64'), labelSmoothing);
      expect(Math.abs(ours.loss / exact.loss - 1)).toBeLessThan(1e-5);
      const error = ours.gradient.to({ device: 'cpu', dtype: 'float64' }).sub(exact.gradient).norm();
      const share = Number(error.item()) / Number(exact.gradient.norm().item());
      expect(share).toBeLessThan(dtype === 'bfloat16' ? 4e-3 : 1e-5);
      expect(ours.gradient.dtype).toBe(dtype);
      if (numbers) expect(ours.right).toBe(Number(logits.argmax(1).eq(labels).sum().item()));
    }
    expect(refusedKernels(device)).toEqual([]);
  });

  it.each([
    ['NaN', Number.NaN, 1],
    ['Inf', Number.POSITIVE_INFINITY, 1],
    ['-Inf in the class of the label', Number.NEGATIVE_INFINITY, 2],
    ['-Inf in another class', Number.NEGATIVE_INFINITY, 1],
  ])('of logits with %s is what libtorch returns', (_, value, place) => {
    for (const labelSmoothing of [0, 0.1]) {
      manualSeed(1);
      const logits = torch.randn([5, 9]);
      logits.select(0, 3).select(0, place).fill_(value);
      const labels = torch.full([5], 2, { dtype: 'int64' });
      const [ours, expected] = [onDevice(logits, labels, labelSmoothing), onCpu(logits, labels, labelSmoothing)];
      if (Number.isFinite(expected.loss)) expect(ours.loss).toBeCloseTo(expected.loss, 5);
      else expect(ours.loss).toBe(expected.loss);
      const [made, wanted] = [ours.gradient.to({ device: 'cpu' }), expected.gradient];
      expect(torch.allclose(made, wanted, 1e-5, 1e-6, true)).toBe(true);
      expect(ours.right).toBe(Number(logits.argmax(1).eq(labels).sum().item()));
    }
  });

  it('counts the first of equal logits, and NaN as the largest', () => {
    const logits = torch.zeros([3, 40]);
    logits.select(0, 1).select(0, 35).fill_(1);
    logits.select(0, 1).select(0, 39).fill_(1);
    logits.select(0, 2).select(0, 5).fill_(Number.NaN);
    const right = (labels: number[]) => onDevice(logits, tensor(labels, { dtype: 'int64' })).right;
    expect([right([0, 35, 5]), right([1, 39, 6])]).toEqual([3, 0]);
  });
});
