import { LibtorchError, messageOf } from '../../errors.js';
import { describeTrace } from '../../libtorch/locate.js';
import { glibcProblem, systemGlibc } from '../../libtorch/system.js';
import {
  addonProblem,
  builtAddons,
  native,
  packageRoot,
  packageVersion,
  pinned,
  searchLibtorch,
} from '../../native.js';
import { z } from '../../options.js';
import { pairs } from '../../report/layout.js';
import { installKernels } from '../../tensor/index.js';
import { defineCommand } from '../command.js';

/** One part of an installation: the findings, line by line, and the problem if there is one. */
interface Part {
  found: Record<string, string | string[] | number>;
  problem?: string | undefined;
}

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'diagnose the installation: system, addon and libtorch, each with the fix',
  options: z.strictObject({ json: z.boolean().default(false).describe('print everything as JSON') }),
  examples: ['srrl doctor'],
  async run({ json }) {
    const parts: Part[] = [system(), addon(), libtorch()];
    // Only a complete installation can be loaded; the result is a part of its own.
    if (parts.every(({ problem }) => !problem)) parts.push(loading());
    const found = Object.assign({}, ...parts.map((part) => part.found)) as Part['found'];
    const problems = parts.flatMap(({ problem }) => problem ?? []);
    if (json) console.log(JSON.stringify({ ...found, problems, problem: problems.join('\n') || null }));
    else console.log(pairs(Object.entries(found).map(([name, value]) => [name, [value].flat().join('\n')] as const)));
    if (problems.length > 0) throw new LibtorchError(problems.join('\n'));
    if (!json) console.log('No problems found');
  },
});

function system(): Part {
  const platform = `${process.platform}-${process.arch}`;
  const found = { srrl: `${packageVersion} in ${packageRoot}`, node: process.version, platform };
  if (process.platform !== 'linux') return { found };
  const glibc = systemGlibc();
  return { found: { ...found, glibc: glibc ?? 'none' }, problem: glibcProblem(glibc) };
}

function addon(): Part {
  const { addons } = builtAddons();
  const lines = [...addons].map(([version, file]) => `${file} for libtorch ${version}`);
  return {
    found: { addon: lines.length > 0 ? lines : `none; libtorch ${pinned.version} would be needed` },
    problem: addonProblem(),
  };
}

function libtorch(): Part {
  const { libtorch, trace, problem } = searchLibtorch();
  const found = libtorch ? `${libtorch.version} in ${libtorch.folder} (${libtorch.source})` : 'none that can be used';
  return { found: { search: describeTrace(trace), libtorch: found }, problem };
}

function loading(): Part {
  try {
    const addon = native();
    const build = /(CPU capability usage: \w+|Intel\(R\) MKL-DNN v[\d.]+|CUDA Runtime [\d.]+)/g;
    return {
      found: {
        devices: addon.devices(),
        threads: addon.numThreads(),
        build: addon.buildInformation().match(build) ?? [],
        ...kernels(addon.devices()),
      },
    };
  } catch (error) {
    return { found: {}, problem: messageOf(error) };
  }
}

/** Our own kernels for each GPU. Without them libtorch's are used, so their absence is no problem. */
function kernels(devices: readonly string[]): Part['found'] {
  const lines = devices
    .filter((device) => device.startsWith('cuda'))
    .map((device) => {
      const { compiler, capability, cached, obstacle } = installKernels(device);
      if (obstacle !== undefined) return `${device}: none, ${obstacle}`;
      return `${device}: compiled by NVRTC ${compiler} for capability ${capability}${cached ? ' before' : ' now'}`;
    });
  return lines.length > 0 ? { kernels: lines } : {};
}
