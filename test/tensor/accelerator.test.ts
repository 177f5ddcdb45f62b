import { afterEach, expect, it } from 'vitest';
import { withoutTf32 } from '../../src/tensor/index.js';
import torch from '../../src/torch.js';

const { cudnn } = torch.backends;

afterEach(() => {
  cudnn.benchmark = false;
  cudnn.deterministic = false;
  cudnn.allowTf32 = true;
  torch.backends.cuda.matmul.allowTf32 = false;
  torch.useDeterministicAlgorithms(false);
});

it('the flags of cuDNN are independent of each other', () => {
  expect([cudnn.benchmark, cudnn.deterministic]).toEqual([false, false]);
  cudnn.benchmark = true;
  expect([cudnn.benchmark, cudnn.deterministic]).toEqual([true, false]);
  cudnn.deterministic = true;
  cudnn.benchmark = false;
  expect([cudnn.benchmark, cudnn.deterministic]).toEqual([false, true]);
});

it('TensorFloat-32 is on for convolutions and off for matrix products', () => {
  const { cuda } = torch.backends;
  expect([cudnn.allowTf32, cuda.matmul.allowTf32]).toEqual([true, false]);
  cudnn.allowTf32 = false;
  cuda.matmul.allowTf32 = true;
  cudnn.benchmark = true;
  expect([cudnn.allowTf32, cuda.matmul.allowTf32]).toEqual([false, true]);
  const within = withoutTf32(() => [cudnn.allowTf32, cuda.matmul.allowTf32]);
  expect(within).toEqual([false, false]);
  expect([cudnn.allowTf32, cuda.matmul.allowTf32]).toEqual([false, true]);
});

it('deterministic algorithms leave no memory to chance', () => {
  torch.useDeterministicAlgorithms(true);
  expect(
    torch
      .isnan(torch.empty([100]))
      .all()
      .item(),
  ).toBe(true);
});

it('the memory of the CPU is not that of an allocator that counts', () => {
  expect(() => torch.deviceMemory('cpu')).toThrow(/CPU/);
});
