import { afterEach, expect, it } from 'vitest';
import torch from '../../src/torch.js';

const { cudnn } = torch.backends;

afterEach(() => {
  cudnn.benchmark = false;
  cudnn.deterministic = false;
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

it('deterministic algorithms leave no memory to chance', () => {
  torch.useDeterministicAlgorithms(true);
  expect(
    torch
      .isnan(torch.empty([100]))
      .all()
      .item(),
  ).toBe(true);
});

it('the memory of the processor is not that of an allocator that counts', () => {
  expect(() => torch.deviceMemory('cpu')).toThrow(/CPU/);
});
