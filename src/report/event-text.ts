/** Formats the events of a run as lines of text. */
import type { Accuracy } from '../flow.js';
import type { TrainEvent } from '../train/index.js';
import { accuracyText, durationText, epochText, stallText } from './terminal.js';

export type Start = Extract<TrainEvent, { type: 'start' }>;
export type End = Extract<TrainEvent, { type: 'end' }>;

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

function startLines(event: Start): string[] {
  const { teacher, config, parameters, terms, estimate, resumedAt } = event;
  const values = Object.entries(terms).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
  const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  const { bytes, memoryLimit } = estimate;
  const memory = `${gibibytes(bytes)}${memoryLimit === undefined ? '' : ` of ${gibibytes(memoryLimit)}`} GiB of memory`;
  return [
    ...(teacher ? [`teacher: ${accuracyText(teacher)}`] : []),
    `student: ${config.student}, ${parameters.toLocaleString('en')} parameters`,
    `before the first step: ${values.join(', ')}`,
    `about ${durationText(estimate.seconds)} and ${memory}, ${Math.ceil(estimate.diskBytes / 2 ** 20)} MiB on disk`,
    ...(resumedAt === undefined ? [] : [`resumed after step ${resumedAt}`]),
  ];
}

const accuracy = (test: Accuracy): string => (test.count > 0 ? accuracyText(test) : 'not evaluated');

export function endText({ test, epoch, seconds, stopped, out }: End): string {
  const why = stopped === 'asked' ? ', stopped' : stopped ? `, ended early (${stopped})` : '';
  const kept = epoch > 0 ? `, epoch ${epoch}` : '';
  return `student: ${accuracy(test)}${kept}, ${durationText(seconds)}${why}${out ? `, in ${out}` : ''}`;
}
