/** The few numbers that a run is judged by, at the top of its page. */
import { html, type Markup } from './markup.js';
import { evaluatedEpochs, type RunRecords } from './run-records.js';
import { percent } from './terminal.js';

/** A number of the headline with what it is. */
export interface Figure {
  label: string;
  value: string;
  note: string;
}

/** `+1.25 points` */
export const pointsText = (points: number): string =>
  `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(2)} ${Math.abs(points) === 1 ? 'point' : 'points'}`;

/** The accuracy by which a run is known: of the student that was kept, or of the last epoch that was evaluated. */
export function reportedTop1(run: RunRecords): { top1: number; epoch: number | undefined } | undefined {
  const { end } = run;
  if (end && end.test.count > 0) return { top1: end.test.top1, epoch: end.epoch };
  const last = evaluatedEpochs(run).at(-1);
  return last && { top1: last.test.top1, epoch: last.epoch };
}

/** Student, teacher, the gap between them, and the student that was trained without a teacher; what is known of it. */
export function figuresOf(run: RunRecords): Figure[] {
  const student = reportedTop1(run);
  const teacher = run.start?.teacher?.top1;
  const { alone } = run;
  return [
    ...(student ? [{ label: 'Student', value: percent(student.top1), note: epochNote(student.epoch) }] : []),
    ...(teacher === undefined ? [] : [{ label: 'Teacher', value: percent(teacher), note: 'test top-1' }]),
    ...(student && teacher !== undefined
      ? [{ label: 'Gap', value: pointsText(student.top1 - teacher), note: 'student minus teacher' }]
      : []),
    ...(student && alone
      ? [
          {
            label: 'Student alone',
            value: percent(alone.top1),
            note: `${alone.runs.join(', ')}; distilled: ${pointsText(student.top1 - alone.top1)}`,
          },
        ]
      : []),
  ];
}

const epochNote = (epoch: number | undefined): string => `test top-1${epoch ? `, epoch ${epoch}` : ''}`;

/** The figures as a description list; nothing where none is known. */
export function figureList(figures: readonly Figure[]): Markup | undefined {
  if (figures.length === 0) return undefined;
  const entries = figures.map(
    ({ label, value, note }) =>
      html`<div><dt>${label}</dt><dd class="value">${value}</dd><dd class="quiet">${note}</dd></div>`,
  );
  return html`<dl class="figures" id="figures">${entries}</dl>`;
}
