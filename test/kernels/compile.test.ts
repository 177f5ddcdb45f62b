/**
 * The sources of the kernels compile for NVIDIA's cards: by NVRTC, which needs no card, where SRRL_NVRTC names the
 * library (libnvrtc.so.13 of the package nvidia-cuda-nvrtc); and without spilled registers, where nvcc is found.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { native } from '../../src/native.js';
import { installKernels } from '../../src/tensor/index.js';

const folder = fileURLToPath(new URL('../../native/kernels/device/', import.meta.url));
const sources = readdirSync(folder).filter((file) => file.endsWith('.cu'));
const hasCompiler = spawnSync('nvcc', ['--version']).status === 0;

describe.skipIf(!process.env.SRRL_NVRTC)('NVRTC', () => {
  it('compiles all sources at once, to the same code as alone', () => {
    const codes = native().kernelCompile(sources, '90');
    for (const [i, file] of sources.entries())
      expect(codes[i]?.subarray(0, 4).toString('latin1'), file).toBe('\x7fELF');
    for (const file of ['step.cu', 'views.cu'])
      expect(native().kernelCompile([file], '90')[0]).toEqual(codes[sources.indexOf(file)]);
  }, 300_000);

  it('leaves a card that it does not know to the driver', () => {
    expect(native().kernelCompile(['views.cu'], '999')[0]?.toString('latin1')).toMatch(/\.visible \.entry views/);
  });

  it('names a card that is too old', () => {
    expect(() => native().kernelCompile(['views.cu'], '30')).toThrow(/cannot compile for cards of capability 30/);
  });
});

describe.skipIf(process.env.SRRL_NVRTC)('without NVRTC', () => {
  it('says so', () => {
    expect(() => native().kernelCompile(['views.cu'], '90')).toThrow(/no NVRTC library/);
  });
});

describe.skipIf(native().devices().includes('cuda:0'))('without a card', () => {
  it('there are no kernels, with the reason', () => {
    const { installed, obstacle } = installKernels('cuda:0');
    expect(installed).toBe(false);
    expect(obstacle).toMatch(/NVRTC|NVIDIA driver/);
  });
});

describe.skipIf(!hasCompiler)('nvcc', () => {
  it.each(sources)('spills no registers of %s', { timeout: 120_000 }, (file) => {
    const args = ['-arch=sm_90', '-std=c++17', '-Xptxas', '-v', '-cubin', '-o', '/dev/null', file];
    const { status, stderr } = spawnSync('nvcc', args, { cwd: folder, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const spills = [...stderr.matchAll(/(\d+) bytes spill stores, (\d+) bytes spill loads/g)];
    expect(spills.length).toBeGreaterThan(0);
    for (const [, stores, loads] of spills) expect([stores, loads]).toEqual(['0', '0']);
    // A block of 256 threads must fit twice on a multiprocessor with 65,536 registers.
    for (const [, registers] of stderr.matchAll(/Used (\d+) registers/g))
      expect(Number(registers)).toBeLessThanOrEqual(128);
  });
});
