/** Shows a run's events: a bar and lines for people, JSON lines for machines. */
import { InterruptedError } from '../errors.js';
import type { Accuracy } from '../flow.js';
import { accuracyText, durationText, epochText, Progress } from '../report/terminal.js';
import type { TrainEvent } from '../train/index.js';

/** Consumes a run and returns the student's accuracy. */
export async function showRun(events: AsyncIterable<TrainEvent>, { json }: { json: boolean }): Promise<Accuracy> {
  let progress: Progress | undefined;
  let result: Accuracy | undefined;
  const print = (text: string) => (progress ? progress.say(text) : console.error(text));
  try {
    for await (const event of events) {
      if (json) {
        if (event.type !== 'step') console.log(JSON.stringify(event));
        if (event.type === 'end') result = event.test;
        continue;
      }
      switch (event.type) {
        case 'start':
          if (event.teacher) print(`teacher: ${accuracyText(event.teacher)}`);
          print(`student: ${event.config.student}, ${event.parameters.toLocaleString('en')} parameters`);
          break;
        case 'step':
          progress ??= new Progress(event.steps, 'steps');
          progress.update(event.step, `epoch ${event.epoch}/${event.epochs}`);
          break;
        case 'epoch':
          print(epochText(event));
          break;
        case 'end':
          result = event.test;
          progress?.stop();
          console.log(
            `student: ${accuracyText(event.test)}, ${durationText(event.seconds)}${event.out ? `, in ${event.out}` : ''}`,
          );
      }
    }
  } finally {
    progress?.stop();
  }
  return result as Accuracy;
}

/** An AbortSignal that fires at the first Ctrl-C; the second ends the process as usual. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new InterruptedError()));
  return controller.signal;
}
