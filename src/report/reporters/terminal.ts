import type { Reporter, TrainEvent } from '../../train/index.js';
import { endText, linesOf } from '../event-text.js';
import { widthOf, wrap } from '../layout.js';
import { Progress } from '../terminal.js';

/** Shows a bar and lines on standard error, and the result of the run on standard output. */
export class TerminalReporter implements Reporter {
  readonly name = 'terminal';
  #progress: Progress | undefined;

  on(event: TrainEvent): void {
    if (event.type === 'step') {
      this.#progress ??= new Progress(event.steps, 'steps', { from: event.step - 1 });
      this.#progress.update(event.step, `epoch ${event.epoch}/${event.epochs}`);
    }
    if (event.type === 'end') this.close();
    for (const line of linesOf(event)) {
      if (this.#progress) this.#progress.say(line);
      else console.error(wrap(line, widthOf(process.stderr)));
    }
    if (event.type === 'end') console.log(wrap(endText(event)));
  }

  close(): void {
    this.#progress?.stop();
  }
}
