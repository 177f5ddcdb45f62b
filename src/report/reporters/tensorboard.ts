import type { Reporter, TrainEvent } from '../../train/index.js';
import { EventWriter, epochScalars } from '../tensorboard.js';

/** Writes TensorBoard event files during a run: the configuration as hparams, scalars by step and by epoch. */
export class TensorBoardReporter implements Reporter {
  readonly name = 'TensorBoard';
  readonly #writer: EventWriter;
  #ended = false;

  constructor(folder: string) {
    this.#writer = new EventWriter(folder);
  }

  on(event: TrainEvent): void {
    const writer = this.#writer;
    if (event.type === 'start') writer.hparams(event.config, ['test/top1']);
    else if (event.type === 'epoch')
      for (const [tag, value] of Object.entries(epochScalars(event))) writer.scalar(tag, value, event.epoch);
    else if (event.type === 'step' && event.loss !== undefined) {
      writer.scalar('step/loss', event.loss, event.step);
      for (const [name, value] of Object.entries(event.terms ?? {}))
        writer.scalar(`step/terms/${name}`, value, event.step);
    } else if (event.type === 'end') {
      writer.endHparams(true);
      this.#ended = true;
    }
  }

  close(): void {
    if (!this.#ended) this.#writer.endHparams(false);
    this.#writer.close();
  }
}
