/** Predictions as text: a table, lines of JSON, or CSV. */
import type { Prediction } from '../predict/index.js';
import { percent, table } from '../report/terminal.js';

/** The predictions for one image, or why it could not be read. */
export type Outcome = { image: string } & ({ predictions: Prediction[] } | { error: string });

/** Turns outcomes into text, piece by piece. */
export interface Format {
  begin?: string;
  /** Returns the text for one image; undefined if it is only written at the end. */
  of?(outcome: Outcome): string | undefined;
  end?(all: readonly Outcome[]): string;
}

export type FormatName = 'table' | 'json' | 'csv';

export const formats: Record<FormatName, Format> = {
  table: { end: (all) => tableOf(all) },
  json: { of: (outcome) => `${JSON.stringify(outcome)}\n` },
  csv: {
    begin: 'image,rank,label,index,probability\n',
    of: (outcome) =>
      'error' in outcome ? undefined : outcome.predictions.map((one, rank) => row(outcome.image, one, rank)).join(''),
  },
};

const row = (image: string, { label, index, probability }: Prediction, rank: number): string =>
  `${[cell(image), rank + 1, cell(label), index, probability].join()}\n`;

/** Quotes a cell of CSV as in RFC 4180. */
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap((outcome) => ('error' in outcome ? [] : [outcome]));
  const width = Math.max(0, ...rows.map(({ predictions }) => predictions.length));
  if (rows.length === 0) return '';
  const head = ['image', ...Array.from({ length: width }, (_, i) => `top ${i + 1}`)];
  const cells = rows.map(({ image, predictions }) => [
    image,
    ...predictions.map(({ label, probability }) => `${label}  ${percent(100 * probability)}`),
  ]);
  return `${table(head, cells)}\n`;
}
