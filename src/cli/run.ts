/** Shows a run's events: a bar and lines for people, JSON lines for machines. */
import { PassThrough } from 'node:stream';
import { InterruptedError } from '../errors.js';
import type { Accuracy } from '../flow.js';
import { serveLive } from '../report/live.js';
import { accuracyText, durationText, epochText, Progress } from '../report/terminal.js';
import type { Run, StallEvent, TrainEvent } from '../train/index.js';
import { stopWithoutReader } from './broken-pipe.js';
import { speaks } from './ranks.js';

type Start = Extract<TrainEvent, { type: 'start' }>;
type End = Extract<TrainEvent, { type: 'end' }>;

/**
 * Consumes a run and returns how it began and ended. The first Ctrl-C or SIGTERM ends it after its step and saves; the
 * second ends the process.
 */
export async function showRun(
  run: Run,
  { json, ui = false }: { json: boolean; ui?: boolean },
): Promise<{ start: Start; end: End }> {
  const stopListening = stopOnSignal(run);
  const live = ui && speaks() ? await serveEvents() : undefined;
  let progress: Progress | undefined;
  let [start, end]: [Start?, End?] = [];
  const print = (text: string) => (progress ? progress.say(text) : console.error(text));
  try {
    for await (const event of run) {
      live?.events.write(event);
      if (event.type === 'start') start = event;
      if (event.type === 'end') end = event;
      if (!speaks()) continue;
      if (json) {
        if (event.type !== 'step') console.log(JSON.stringify(event));
        continue;
      }
      if (event.type === 'step') {
        progress ??= new Progress(event.steps, 'steps', { from: event.step - 1 });
        progress.update(event.step, `epoch ${event.epoch}/${event.epochs}`);
      } else if (event.type === 'end') progress?.stop();
      for (const line of linesOf(event)) print(line);
    }
  } finally {
    progress?.stop();
    stopListening();
    await live?.close();
  }
  if (!json && end && speaks()) console.log(endText(end));
  return { start, end } as { start: Start; end: End };
}

/** The live page of a run that is consumed here. */
async function serveEvents(): Promise<{ events: PassThrough; close: () => Promise<void> }> {
  const events = new PassThrough({ objectMode: true });
  const server = await serveLive({ source: events });
  console.error(`live page: ${server.url}`);
  return {
    events,
    close: () => {
      events.end();
      return server.close();
    },
  };
}

export function linesOf(event: TrainEvent): string[] {
  switch (event.type) {
    case 'start':
      return startLines(event);
    case 'notice':
      return [`note: ${event.message}`];
    case 'stall':
      return [stallText(event)];
    case 'epoch':
      return [epochText(event)];
    case 'profile':
      return [`steps ${event.from} to ${event.to} were profiled; trace: ${event.file}`, event.table];
    case 'checkpoint':
      return [`saved step ${event.step} in ${event.file}`];
    default:
      return [];
  }
}

const stallText = ({ waited, file, image, split, missing }: StallEvent): string =>
  `waiting for ${durationText(waited)} for ${file} (image ${image} of the ${split} split); ${missing} of its batch are missing`;

function startLines(event: Extract<TrainEvent, { type: 'start' }>): string[] {
  const { teacher, config, parameters, terms, estimate, resumedAt } = event;
  const values = Object.entries(terms).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
  const gibibytes = (estimate.bytes / 2 ** 30).toFixed(1);
  return [
    ...(teacher ? [`teacher: ${accuracyText(teacher)}`] : []),
    `student: ${config.student}, ${parameters.toLocaleString('en')} parameters`,
    `before the first step: ${values.join(', ')}`,
    `about ${durationText(estimate.seconds)} and ${gibibytes} GiB of memory, ${Math.ceil(estimate.diskBytes / 2 ** 20)} MiB on disk`,
    ...(resumedAt === undefined ? [] : [`going on after step ${resumedAt}`]),
  ];
}

const accuracy = (test: Accuracy): string => (test.count > 0 ? accuracyText(test) : 'not evaluated');

export function endText({ test, epoch, seconds, stopped, out }: End): string {
  const why = stopped ? `, ended early (${stopped})` : '';
  const kept = epoch > 0 ? `, epoch ${epoch}` : '';
  return `student: ${accuracy(test)}${kept}, ${durationText(seconds)}${why}${out ? `, in ${out}` : ''}`;
}

/** Exit codes as a shell gives them for these signals. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

export function stopOnSignal(run: Pick<Run, 'stop'>): () => void {
  const handlers = Object.entries(exitCodes).map(([signal, code]): (() => void) => {
    const handler = () => {
      process.exitCode = code;
      run.stop();
    };
    process.once(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  handlers.push(stopWithoutReader(() => run.stop()));
  return () => {
    for (const remove of handlers) remove();
  };
}

/**
 * An AbortSignal that fires at the first Ctrl-C, for work that has nothing to save; the second ends the process as
 * usual.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new InterruptedError()));
  return controller.signal;
}
