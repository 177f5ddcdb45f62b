/** The package's own kernels in the steps of a run. */
import { installKernels, refusedKernels, withKernels } from '../tensor/index.js';
import type { EffectiveTrainOptions } from './options.js';

export class RunKernels {
  private readonly device: string;
  private readonly installed: boolean;
  private readonly told = new Set<string>();
  private readonly obstacle: string | undefined;

  constructor({ device, kernels }: Pick<EffectiveTrainOptions, 'device' | 'kernels'>) {
    this.device = device;
    const state = kernels === 'auto' && device !== 'cpu' ? installKernels(device) : undefined;
    this.installed = state?.installed ?? false;
    this.obstacle = state?.obstacle;
  }

  /** Runs `body` with the kernels of this run, or with none. */
  within<T>(body: () => T): T {
    return withKernels(body, this.installed);
  }

  /** Returns the reasons why kernels are not used, each once. */
  news(): string[] {
    // One message per kind of kernel is enough, so the shapes are cut off.
    const refused = refusedKernels(this.device).map(({ kind, obstacle }) => {
      return `libtorch's operators replace ${kind.replace(/ \(.*\)$/, '')}: ${obstacle}`;
    });
    const absent = this.obstacle === undefined ? [] : [`the package's own kernels are not used: ${this.obstacle}`];
    const news = [...new Set([...absent, ...refused])].filter((message) => !this.told.has(message));
    for (const message of news) this.told.add(message);
    return news;
  }
}
