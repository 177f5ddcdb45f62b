/** The key figures of a run, at the top of its page. */
import { html, type Markup } from './markup.js';
import { evaluatedEpochs, type RunRecords } from './run-records.js';
import { percent } from './terminal.js';

/** A key figure with its label. */
export interface Figure {
  label: string;
  value: string;
  note: string;
}

/** Formats a difference, as in `+1.25 points`. */
export const pointsText = (points: number): string =>
  `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(2)} ${Math.abs(points) === 1 ? 'point' : 'points'}`;

/** Returns the accuracy to report for a run: of the saved student, or of the last evaluated epoch. */
export function reportedTop1(run: RunRecords): { top1: number; epoch: number | undefined } | undefined {
  const { end } = run;
  if (end && end.test.count > 0) return { top1: end.test.top1, epoch: end.epoch };
  const last = evaluatedEpochs(run).at(-1);
  return last && { top1: last.test.top1, epoch: last.epoch };
}

/** Returns the known figures of student, teacher, the gap between them, and the student trained without a teacher. */
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

/** Returns the figures as a description list; undefined if there are none. */
export function figureList(figures: readonly Figure[]): Markup | undefined {
  if (figures.length === 0) return undefined;
  const entries = figures.map(
    ({ label, value, note }) =>
      html`<div><dt>${label}</dt><dd class="value">${value}</dd><dd class="quiet">${note}</dd></div>`,
  );
  return html`<dl class="figures" id="figures">${entries}</dl>`;
}
