import { describe, expect, it } from 'vitest';
import { freeMemory } from '../../src/tensor/index.js';
import torch, { ConfigError, NativeError } from '../../src/torch.js';
import { addDevice, device, isThere } from '../helpers/device.js';

addDevice();

describe.runIf(isThere)('events', () => {
  const timed = () => new torch.Event({ device, enableTiming: true });

  it('tell the time that the device takes between them', () => {
    const [begin, end] = [timed(), timed()];
    const before = performance.now();
    begin.record();
    torch.scope(() => {
      let x = torch.ones([64, 64], { device });
      for (let i = 0; i < 20; i++) x = x.matmul(x).sigmoid();
    });
    end.record();
    end.synchronize();
    const around = performance.now() - before;
    expect([begin.query(), end.query()]).toEqual([true, true]);
    const between = begin.elapsedTime(end);
    expect(between).toBeGreaterThan(0);
    expect(between).toBeLessThan(around);
    begin.wait();
    for (const event of [begin, end]) event.dispose();
  });

  it('are of the accelerator by default, and tell no time unless they are made for it', () => {
    const [begin, end] = [new torch.Event(), timed()];
    expect(begin.device).toBe(device);
    expect(begin.query()).toBe(true);
    expect(() => end.elapsedTime(timed())).toThrow(/recorded/);
    begin.record();
    end.record();
    expect(() => begin.elapsedTime(end)).toThrow(/enable_timing/);
    begin.dispose();
    expect(() => begin.record()).toThrow(/disposed/);
  });

  it('are known to tell time', () => {
    expect([torch.Event.timesOn(device), torch.Event.timesOn('cpu')]).toEqual([true, false]);
  });

  it('are not of the CPU, nor of a device that is not there', () => {
    expect(() => new torch.Event({ device: 'cpu' })).toThrow(ConfigError);
    expect(() => new torch.Event({ device: 'xpu:3' })).toThrow(/no device xpu:3/);
  });
});

it.runIf(isThere)('the memory of a device is counted, with its peak', () => {
  const { allocated } = torch.deviceMemory(device);
  const big = torch.zeros([1 << 20], { device });
  big.dispose();
  const after = torch.deviceMemory(device);
  expect(after.allocated).toBe(allocated);
  expect(after.peakAllocated).toBeGreaterThanOrEqual(allocated + 4 * 2 ** 20);
  torch.resetPeakMemory(device);
  expect(torch.deviceMemory(device).peakAllocated).toBe(allocated);
});

it.runIf(isThere)('a device without a number is the current one of its kind', () => {
  const kind = device.replace(/:.*/, '');
  const held = torch.zeros([1 << 10], { device: kind });
  expect(held.device).toBe(device);
  expect(torch.deviceMemory(kind)).toEqual(torch.deviceMemory(device));
  torch.resetPeakMemory(kind);
  torch.emptyCache(kind);
  expect(freeMemory(kind)).toBe(freeMemory(device));
  const state = torch.getRngState(kind);
  torch.setRngState(state, kind);
  expect(state.equal(torch.getRngState(device))).toBe(true);
  expect(torch.Event.timesOn(kind)).toBe(true);
  const event = new torch.Event({ device: kind });
  event.record();
  event.synchronize();
  expect([event.device, event.query()]).toEqual([device, true]);
  event.dispose();
  held.dispose();
});

it('a kind of device that is not there has no memory', () => {
  expect(() => torch.deviceMemory('xpu')).toThrow(NativeError);
  expect(freeMemory('xpu')).toBeUndefined();
});
