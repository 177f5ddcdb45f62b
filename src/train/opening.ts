/** Opens the data of a run, which may take long if they are on other machines. */
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/datasets/index.js';
import { withoutSecrets } from '../data/remote/address.js';
import { type RemoteOptions, remoteOf } from '../data/remote/options.js';
import { stopWaiting } from '../data/remote/remote-files.js';
import { modulePrefix } from '../distill/own-network.js';
import { InterruptedError } from '../errors.js';
import type { Control } from './control.js';
import { within } from './patience.js';
import { importDefault } from './user-module.js';

export type Notice = { type: 'notice'; message: string };

interface Waiting extends RemoteOptions {
  /** Seconds until the first notice; each further notice comes after twice as long. */
  stallWarning: number;
}

/** Opens a data set. Throws InterruptedError if the run is stopped meanwhile. */
export async function* opening(
  data: string | Dataset,
  options: Waiting,
  { ending, signal }: Pick<Control, 'ending' | 'signal'>,
): AsyncGenerator<Notice, Dataset> {
  let known = '';
  const opened = resolveData(data, options, (done, all) => {
    known = `: ${done} of ${all} shards are known`;
  });
  const began = performance.now();
  for (let pause = options.stallWarning; ; pause *= 2) {
    if (await within(opened, pause, ending)) return opened;
    if (ending.aborted) {
      stopWaiting();
      signal?.throwIfAborted();
      throw new InterruptedError();
    }
    const seconds = Math.round((performance.now() - began) / 1000);
    yield { type: 'notice', message: `${withoutSecrets(String(data))} has been opening for ${seconds} s${known}.` };
  }
}

async function resolveData(
  data: string | Dataset,
  options: RemoteOptions,
  onProgress: (done: number, all: number) => void,
): Promise<Dataset> {
  if (typeof data !== 'string') return data;
  if (!data.startsWith(modulePrefix)) return openDataset(data, { ...remoteOf(options), onProgress });
  const content = await importDefault(data, 'data set');
  return (typeof content === 'function' ? await content() : content) as Dataset;
}
