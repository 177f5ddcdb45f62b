import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { native } from '../../src/native.js';
import torch, { FileError, nn, type Profile } from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-profile-'));
afterAll(() => rmSync(folder, { recursive: true }));

const model = new nn.Linear(8, 4);
const x = torch.randn([16, 8]);
const one = torch.ones([]);
const work = () => {
  for (let i = 0; i < 3; i++) torch.recordFunction('own step', () => model.forward(x).relu().sum().backward(one));
};
// The first backward makes the gradients that the later ones are added to.
work();

const callsOf = (profile: Profile) => Object.fromEntries(profile.rows().map(({ name, calls }) => [name, calls]));

describe('torch.profile', () => {
  it('counts operators and ranges, and gives every microsecond to one of them', () => {
    const profile = torch.profile(work, { recordShapes: true, profileMemory: true });
    const rows = profile.rows({ groupByShapes: false });
    expect(callsOf(profile)).toMatchObject({ 'own step': 3, 'aten::addmm': 3, ReluBackward0: 3 });
    const range = rows.find(({ name }) => name === 'own step');
    const self = rows.reduce((sum, { cpuSelf }) => sum + cpuSelf, 0);
    expect(self).toBeCloseTo(range?.cpuTotal as number, 3);
    const addmm = profile.events.find(({ name }) => name === 'aten::addmm');
    expect(addmm?.shapes).toEqual([[4], [16, 8], [8, 4], [], []]);
    expect(addmm?.cpuMemory).toBe(16 * 4 * 4);
    expect(profile.rows({ groupBy: 'kernel' })).toEqual([]);
    const table = profile.table({ sortBy: 'calls', rowLimit: 2 });
    const [first, second, third] = profile.rows({ sortBy: 'calls' });
    expect([first?.calls, second?.calls]).toEqual([first?.calls, second?.calls].sort((a = 0, b = 0) => b - a));
    expect(table.match(/aten::|autograd|own step/g)?.length).toBeGreaterThanOrEqual(2);
    expect(third && table).toMatch(/in all: CPU .*, \d+ more rows$/);
  });

  it.skipIf(!process.env.SRRL_PYTHON)("has PyTorch's names, calls and shapes", () => {
    const program = `
import json, torch
from torch.profiler import profile, record_function
model, x, one = torch.nn.Linear(8, 4), torch.randn(16, 8), torch.ones([])
def work():
    for _ in range(3):
        with record_function('own step'): model(x).relu().sum().backward(one)
work()
with profile(record_shapes=True) as p: work()
print(json.dumps([[r.key, r.count, r.input_shapes] for r in p.key_averages(group_by_input_shape=True)]))`;
    const { stdout, stderr } = spawnSync(process.env.SRRL_PYTHON as string, ['-c', program], { encoding: 'utf8' });
    expect(stdout, stderr).not.toBe('');
    const ours = torch
      .profile(work, { recordShapes: true })
      .rows()
      .map(({ name, calls, shapes = [] }) => [name, calls, shapes]);
    const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
    expect(sorted(ours)).toEqual(sorted(JSON.parse(stdout)));
  });

  it('writes a Chrome trace as often as it is asked, or nothing', () => {
    const profile = torch.profile(work);
    const file = join(folder, 'trace.json');
    for (let i = 0; i < 2; i++) {
      profile.exportChromeTrace(file);
      const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: { name: string }[] };
      expect(traceEvents.filter(({ name }) => name === 'aten::addmm')).toHaveLength(3);
    }
    expect(() => profile.exportChromeTrace(join(folder, 'none', 'trace.json'))).toThrow(FileError);
    expect(readdirSync(folder)).toEqual(['trace.json']);
  });

  it('waits for an asynchronous function, and counts the steps of a Profiler', async () => {
    const profile = await torch.profile(async () => {
      await torch.dispatchAsync('aten::mm', x, x.t());
      work();
    });
    expect(callsOf(profile)).toMatchObject({ 'own step': 3 });
    const profiler = new torch.Profiler().start();
    work();
    profiler.step();
    expect(callsOf(profiler.stop())).toMatchObject({ 'ProfilerStep*': 2, 'aten::addmm': 3 });
    expect(() => profiler.stop()).toThrow(/not started/);
  });

  it('ends where its function throws, and does not nest', async () => {
    const fail = () => {
      throw new Error('on purpose');
    };
    expect(() => torch.profile(fail)).toThrow('on purpose');
    await expect(torch.profile(async () => fail())).rejects.toThrow('on purpose');
    expect(() => torch.profile(() => torch.profile(work))).toThrow(/do not nest/);
    expect(() => torch.profile(work, { activities: ['gpu' as 'cuda'] })).toThrow(/"gpu" cannot be profiled/);
    expect(() => torch.profile(work).table({ sortBy: 'size' as 'calls' })).toThrow(/not by "size"/);
    expect(() => torch.recordFunction('range', async () => {})).toThrow(/synchronous/);
    expect(callsOf(torch.profile(work))).toMatchObject({ 'aten::addmm': 3 });
  });

  it('is free again when the thread that profiled has ended', async () => {
    const source = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { default: torch } = await import(workerData);
      new torch.Profiler().start();
      parentPort.postMessage('begun');
      setInterval(() => {}, 1000);`;
    const workerData = new URL('../../dist/torch.js', import.meta.url).href;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData });
    await new Promise((resolve) => worker.once('message', resolve));
    expect(() => torch.profile(work)).toThrow(/another thread/);
    await worker.terminate();
    expect(callsOf(torch.profile(work))).toMatchObject({ 'aten::addmm': 3 });
  });
});

describe('messages of libtorch', () => {
  const advice = `
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with \`TORCH_USE_CUDA_DSA\` to enable device-side assertions.
`;
  const search = `
Search for \`cudaErrorInvalidValue' in https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html for more information.`;
  it.each([advice, search, search + advice, `${advice}\nException raised from a.cpp:12`])(
    'lose CUDA’s advice',
    (tail) => {
      expect(native().cleanMessage(`CUDA error: invalid argument${tail}`)).toBe('CUDA error: invalid argument');
    },
  );
});
