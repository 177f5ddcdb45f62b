/** Trains several students together and shows them in one stream of lines. */
import { linesOf } from '../report/event-text.js';
import { widthOf, wrap } from '../report/layout.js';
import { durationText, Progress, percent, table } from '../report/terminal.js';
import { type DistillSetup, distillTogether, type TogetherEvent } from '../train/index.js';
import { furtherReporters, resumeCommand, type Showing, sayHowToResume, stopOnSignal } from './run.js';
import { type Summary, summarize } from './summary.js';

type End = Extract<TogetherEvent, { type: 'end' }>;

export interface TogetherShowing extends Pick<Showing, 'json' | 'ui' | 'tensorboard' | 'reporters'> {
  /** The name of the whole group. */
  name: string;
  /** The parent folder of their folders. */
  out: string | undefined;
  dryRun: boolean;
}

/** Trains the students; each line of output names its student, and a table of the results follows. */
export async function trainTogether(
  setups: Record<string, DistillSetup>,
  { json, name, out, dryRun, ...asked }: TogetherShowing,
): Promise<void> {
  const students = Object.keys(setups);
  const names = students.map((student) => `${name}, ${student}`);
  const further = await furtherReporters(names, asked, students.map(folderName));
  const withReporters = students.map((student, i) => [student, { ...setups[student], reporters: further[i] }]);
  const run = distillTogether(Object.fromEntries(withReporters));
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
        else console.error(wrap(text, widthOf(process.stderr)));
      }
    }
  } finally {
    progress?.stop();
    stopListening();
  }
  const tests = Object.fromEntries(ends.map(({ student, test }) => [student, test]));
  const stopped = ends.find(({ stopped: why }) => why === 'asked')?.stopped;
  const { top1 } = summarize(tests, stopped || dryRun ? undefined : out);
  if (json) return console.log(JSON.stringify({ type: 'summary', students: ends.length, top1 }));
  console.log(tableOf(ends, top1));
  sayHowToResume(stopped, resumeCommand('distill', out));
}

/** Returns a folder name for a student's name. */
export const folderName = (student: string): string => student.replace(/[^\w.-]/g, '_');

function tableOf(ends: readonly End[], { mean, spread }: Summary['top1']): string {
  const rows = ends.map(({ student, test, seconds }) => [
    student,
    percent(test.top1),
    percent(test.top5),
    durationText(seconds),
  ]);
  return `${table(['student', 'test top-1', 'test top-5', 'time'], rows)}\ntop-1 ${percent(mean)} ± ${spread.toFixed(2)} over ${ends.length}`;
}
