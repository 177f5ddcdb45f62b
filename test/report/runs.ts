import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { stringify } from 'yaml';

/** Of the test file that reads this; it is gone with the tests. */
const scratch = mkdtempSync(join(tmpdir(), 'srrl-report-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** An empty folder, until the tests of the file have ended. */
export const newFolder = (): string => mkdtempSync(join(scratch, 'run-'));

export const hostile = '</script><script>alert("&")</script>';

export const accuracyOf = (top1: number) => ({ top1, top5: top1 + 30, loss: 3 - top1 / 50, count: 400 });

export const epochOf = (epoch: number, top1: number) => ({
  time: `2026-11-24T10:00:0${epoch}.500Z`,
  type: 'epoch',
  epoch,
  epochs: 3,
  lr: 0.1 / epoch,
  loss: 5.25 / epoch,
  terms: { ce: 2.125 / epoch, [hostile]: 0.5 / epoch },
  trainTop1: top1 + 5,
  validation: accuracyOf(top1 - 1),
  test: accuracyOf(top1),
  imagesPerSecond: 100 + epoch,
  seconds: 2,
});

export const configOf = (values: Record<string, unknown> = {}) => ({
  method: 'srrl',
  student: 'resnet8',
  teacher: 'somewhere/teacher.pt',
  data: 'shapes:240',
  lr: 0.05,
  seed: 0,
  ...values,
});

/** Names of terms as methods have them. */
export const terms = { ce: 2.125, fm: 0.5, sr: 1.25 };

export const startOf = (config: object, parameters = 78042) => ({
  time: '2026-11-24T10:00:00.000Z',
  type: 'start',
  config,
  parameters,
  teacher: accuracyOf(69),
});

export const endOf = (top1: number) => ({ type: 'end', test: accuracyOf(top1), epoch: 3, seconds: 75 });

const exampleOf = (label: number, student: number, teacher: number, bytes: string) => ({
  sample: 7,
  label,
  student: { predicted: student, confidence: 0.875 },
  teacher: { predicted: teacher, confidence: 0.5 },
  image: `data:image/webp;base64,${bytes}`,
});

export const analysis = {
  split: 'test',
  overall: { count: 8, agreement: 0.625, klDivergence: 0.75 },
  cka: 0.5,
  teacher: { accuracy: 0.875, confusion: [] },
  student: {
    accuracy: 0.75,
    confusion: [
      [4, 0],
      [2, 2],
    ],
  },
  classes: [
    { name: hostile, count: 4, agreement: 0.75, teacherAccuracy: 1, studentAccuracy: 1 },
    { name: 'disc', count: 4, agreement: 0.5, teacherAccuracy: 0.75, studentAccuracy: 0.5 },
  ],
  examples: [exampleOf(1, 0, 1, 'bWlzdGFrZQ=='), exampleOf(1, 1, 0, 'aGl0')],
};

export const linesOf = (events: object[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('');

/** Of 60 steps. */
const stepsText = [
  'step,epoch,loss,term_ce,term_fm,lr,images_per_second\n',
  ...Array.from({ length: 60 }, (_, i) => `${i + 1},1,${5 / (i + 1)},${2 / (i + 1)},${3 / (i + 1)},0.1,${900 + i}\n`),
].join('');

/** A run folder with these accuracies, one an epoch. */
export function makeRun({
  config = configOf(),
  top1 = [40, 60, 55],
  events,
  analyzed = false,
  stepped = false,
  parameters,
  terms,
}: {
  config?: object;
  top1?: number[];
  events?: string;
  analyzed?: boolean;
  /** Whether it has a steps.csv. */
  stepped?: boolean;
  parameters?: number;
  terms?: Record<string, number>;
} = {}): string {
  const folder = newFolder();
  const epochs = top1.map((value, index) => ({ ...epochOf(index + 1, value), ...(terms && { terms }) }));
  const all = [startOf(config, parameters), ...epochs, endOf(top1.at(-1) ?? 0)];
  writeFileSync(join(folder, 'config.yaml'), stringify(config));
  writeFileSync(join(folder, 'events.jsonl'), events ?? linesOf(all));
  if (stepped) writeFileSync(join(folder, 'steps.csv'), stepsText);
  if (analyzed) writeFileSync(join(folder, 'analysis.json'), JSON.stringify(analysis));
  return folder;
}
