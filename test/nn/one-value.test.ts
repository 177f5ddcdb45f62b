import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import torch, { nn, ShapeError, type Tensor } from '../../src/torch.js';

type Norm = nn.Module & { forward(x: Tensor): Tensor };
const norms: Record<string, () => Norm> = {
  'nn.BatchNorm1d(3)': () => new nn.BatchNorm1d(3),
  'nn.BatchNorm2d(3)': () => new nn.BatchNorm2d(3),
  'nn.BatchNorm3d(3)': () => new nn.BatchNorm3d(3),
  'nn.BatchNorm1d(3).eval()': () => new nn.BatchNorm1d(3).eval(),
  'nn.BatchNorm1d(3, track_running_stats=False).eval()': () =>
    new nn.BatchNorm1d(3, { trackRunningStats: false }).eval(),
  'nn.InstanceNorm1d(3)': () => new nn.InstanceNorm1d(3),
  'nn.InstanceNorm2d(3)': () => new nn.InstanceNorm2d(3),
  'nn.InstanceNorm2d(3, track_running_stats=True).eval()': () =>
    new nn.InstanceNorm2d(3, { trackRunningStats: true }).eval(),
  'nn.InstanceNorm2d(3).eval()': () => new nn.InstanceNorm2d(3).eval(),
  'nn.GroupNorm(3, 3)': () => new nn.GroupNorm(3, 3),
  'nn.GroupNorm(1, 3).eval()': () => new nn.GroupNorm(1, 3).eval(),
  'nn.GroupNorm(3, 3).eval()': () => new nn.GroupNorm(3, 3).eval(),
};
const shapes = [
  [1, 3],
  [2, 3],
  [0, 3],
  [1, 3, 1],
  [1, 3, 2],
  [2, 3, 1],
  [3, 1],
  [3, 2],
  [1, 3, 1, 1],
  [2, 3, 1, 1],
];
const moreShapes = [
  [0, 3, 1, 1],
  [1, 3, 0, 2],
  [1, 3, 2, 1],
  [3, 1, 1],
  [1, 3, 1, 1, 1],
  [2, 3, 1, 1, 1],
  [1, 3, 1, 1, 2],
];
const all = [...shapes, ...moreShapes];
/** What PyTorch 2.13 does with each, printed by the script below: `.` computes, `x` raises. */
const recorded: Record<string, string> = {
  'nn.BatchNorm1d(3)': 'x..x..xxxxxxxxxxx',
  'nn.BatchNorm2d(3)': 'xxxxxxxxx....xxxx',
  'nn.BatchNorm3d(3)': 'xxxxxxxxxxxxxxx..',
  'nn.BatchNorm1d(3).eval()': '......xxxxxxxxxxx',
  'nn.BatchNorm1d(3, track_running_stats=False).eval()': 'x..x..xxxxxxxxxxx',
  'nn.InstanceNorm1d(3)': '...x.xx.xxxxxxxxx',
  'nn.InstanceNorm2d(3)': 'xxx...xxxxx..xxxx',
  'nn.InstanceNorm2d(3, track_running_stats=True).eval()': 'xxxxxxxx......xxx',
  'nn.InstanceNorm2d(3).eval()': 'xxx...xxxxx..xxxx',
  'nn.GroupNorm(3, 3)': 'x..x..xxx....xx..',
  'nn.GroupNorm(1, 3).eval()': '......xx.....x...',
  'nn.GroupNorm(3, 3).eval()': 'x..x..xxx....xx..',
};

const outcome = (norm: Norm, shape: number[]): string => {
  try {
    norm.forward(torch.ones(shape));
    return '.';
  } catch {
    return 'x';
  }
};
const row = (name: string): string => all.map((shape) => outcome((norms[name] as () => Norm)(), shape)).join('');

describe('normalizations of one value', () => {
  it.each(Object.keys(norms))('%s computes and raises where PyTorch does', (name) => {
    expect(row(name)).toBe(recorded[name]);
  });

  it.skipIf(!process.env.SRRL_PYTHON)('the record is what PyTorch does', () => {
    const script = `
import json, torch
from torch import nn
def outcome(norm, shape):
    try: norm(torch.ones(shape)); return '.'
    except (ValueError, RuntimeError): return 'x'
print(json.dumps({name: ''.join(outcome(eval(name), shape) for shape in ${JSON.stringify(all)}) for name in ${JSON.stringify(Object.keys(norms))}}))`;
    const { stdout } = spawnSync(process.env.SRRL_PYTHON as string, ['-c', script], { encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual(recorded);
  });

  it('says why, and leaves the running statistics as they were', () => {
    for (const norm of [new nn.BatchNorm1d(3), new nn.SyncBatchNorm(3)]) {
      expect(() => norm.forward(torch.ones([1, 3]))).toThrow(ShapeError);
      expect(() => norm.forward(torch.ones([1, 3]))).toThrow(
        /Expected more than 1 value per channel when training, got input size \[1, 3\]. .*larger batch/,
      );
      expect(norm.running_var.tolist()).toEqual([1, 1, 1]);
      expect(norm.num_batches_tracked.item()).toBe(0);
    }
  });

  it('holds for the fused normalization and ReLU, in both memory formats, by module and by operator', () => {
    const norm = new nn.BatchNorm2d(16);
    const x = torch.ones([1, 16, 1, 1]);
    for (const input of [x, x.to({ memoryFormat: 'channelsLast' })])
      expect(() => norm.forwardRelu(input)).toThrow(/Expected more than 1 value/);
    const ones = torch.ones([16]);
    expect(() =>
      torch.dispatch('srrl::batch_norm_relu', x, ones, ones, norm.running_mean, norm.running_var, null, 0.1, 1e-5),
    ).toThrow(/Expected more than 1 value/);
    expect(norm.running_var.tolist()).toEqual(ones.tolist());
  });

  it('an empty batch changes no statistics', () => {
    const norm = new nn.BatchNorm2d(16);
    expect(norm.forward(torch.ones([0, 16, 2, 2])).shape).toEqual([0, 16, 2, 2]);
    expect(norm.forwardRelu(torch.ones([0, 16, 2, 2])).shape).toEqual([0, 16, 2, 2]);
    expect(norm.running_var.isfinite().all().item()).toBe(true);
    expect(norm.running_mean.tolist()).toEqual(new Array(16).fill(0));
  });
});
