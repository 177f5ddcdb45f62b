/** Several students side by side, shown in one stream of lines. */
import { durationText, meanAndSpread, Progress, percent, table } from '../report/terminal.js';
import { type DistillSetup, distillTogether, type TogetherEvent } from '../train/index.js';
import { linesOf, stopOnSignal } from './run.js';

type End = Extract<TogetherEvent, { type: 'end' }>;

/** Trains them and shows what happens, each line with the student's name; a table of the results follows. */
export async function trainTogether(setups: Record<string, DistillSetup>, { json }: { json: boolean }): Promise<void> {
  const run = distillTogether(setups);
  const stopListening = stopOnSignal(run);
  const [ends, count]: [End[], number] = [[], Object.keys(setups).length];
  let progress: Progress | undefined;
  try {
    for await (const event of run) {
      if (event.type === 'end') ends.push(event);
      if (json) {
        if (event.type !== 'step') console.log(JSON.stringify(event));
        continue;
      }
      if (event.type === 'step') {
        progress ??= new Progress(event.steps, 'steps', { from: event.step - 1 });
        progress.update(event.step, `epoch ${event.epoch}/${event.epochs}, ${count} students`);
      }
      for (const line of linesOf(event)) {
        const text = `${event.student}: ${line}`;
        if (progress) progress.say(text);
        else console.error(text);
      }
    }
  } finally {
    progress?.stop();
    stopListening();
  }
  const top1 = meanAndSpread(ends.map(({ test }) => test.top1));
  if (json) console.log(JSON.stringify({ type: 'summary', students: ends.length, top1 }));
  else console.log(tableOf(ends));
}

function tableOf(ends: readonly End[]): string {
  const rows = ends.map(({ student, test, seconds }) => [
    student,
    percent(test.top1),
    percent(test.top5),
    durationText(seconds),
  ]);
  const { mean, spread } = meanAndSpread(ends.map(({ test }) => test.top1));
  return `${table(['student', 'test top-1', 'test top-5', 'time'], rows)}\ntop-1 ${percent(mean)} ± ${spread.toFixed(2)} over ${ends.length}`;
}
