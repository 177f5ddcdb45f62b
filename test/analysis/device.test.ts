import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { evalCommand } from '../../src/cli/commands/eval.js';
import { deviceFor } from '../../src/distill/run-device.js';
import { analyzeRun, ConfigError, distill } from '../../src/index.js';
import torch from '../../src/torch.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';

addDevice();
// A device computes what the CPU does but for the order of sums.
torch.backends.cudnn.allowTf32 = false;

const folder = mkdtempSync(join(tmpdir(), 'srrl-analysis-device-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());
const run = join(folder, 'run');
const config = join(run, 'config.yaml');

beforeAll(async () => {
  const setup = {
    data: 'shapes:24?test=60',
    teacher: 'assets/shapes-teacher.pt',
    student: 'resnet8',
    epochs: 1,
    out: run,
  };
  for await (const _ of distill(setup));
});

/** As if the run had been on another device. */
const ranOn = (name: string) =>
  writeFileSync(config, readFileSync(config, 'utf8').replace(/^device: .*$/m, `device: ${name}`));

async function evaluated(asked?: string) {
  const print = vi.spyOn(console, 'log').mockImplementation(() => {});
  await evalCommand.run({ data: undefined, device: asked, json: true }, [run]);
  const result = JSON.parse(print.mock.lastCall?.[0]);
  print.mockRestore();
  return result;
}

describe.runIf(isThere)('a run is evaluated and analyzed', () => {
  it('on the device that is asked for, or its own, as on the CPU', async () => {
    const [onCpu, here] = [await evaluated('cpu'), await evaluated(device)];
    expect(here.count).toBe(60);
    expect(here.loss).toBeCloseTo(onCpu.loss, 4);
    ranOn(device);
    expect(deviceFor(run)).toEqual({ device });
    expect(deviceFor(join(run, 'student.safetensors'))).toEqual({ device });
    const [expected, actual] = [await analyzeRun(run, { device: 'cpu' }), await analyzeRun(run)];
    if (isMock) expect(actual.student.confusion).toEqual(expected.student.confusion);
    expect(actual.overall.klDivergence).toBeCloseTo(expected.overall.klDivergence as number, 4);
    expect(actual.cka).toBeCloseTo(expected.cka as number, 4);
  });

  it('on the CPU where its device is not there, and says so', async () => {
    ranOn('cuda:7');
    expect(deviceFor(run)).toEqual({ device: 'cpu', notice: expect.stringMatching(/cuda:7, .*using the CPU$/) });
    const say = vi.spyOn(console, 'error').mockImplementation(() => {});
    await evaluated();
    expect(say).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('using the CPU'));
    expect(() => deviceFor(run, 'cuda:7')).toThrow(ConfigError);
    await expect(analyzeRun(run, { device: 'cuda:7' })).rejects.toThrow('There is no device cuda:7');
  });
});
