import type { Reporter, TrainEvent } from '../../train/index.js';

/** Prints every event except steps as a line of JSON on standard output. */
export class JsonReporter implements Reporter {
  readonly name = 'json';

  on(event: TrainEvent): void {
    if (event.type !== 'step') console.log(JSON.stringify(event));
  }
}
