/** A run folder as the trainer writes it, with names that want escaping. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Written {
  seed?: number;
  top1?: number[];
  method?: string;
  data?: string;
}

const time = (i: number) => new Date(Date.UTC(2026, 10, 24, 12, 0, i)).toISOString();

export function writeRun(
  folder: string,
  { seed = 0, top1 = [10.5, 31.25], method = 'srrl', data = 'shapes' }: Written = {},
): string {
  mkdirSync(folder, { recursive: true });
  const epochs = top1.length;
  const config = { data, student: 'resnet8', method, epochs, seed };
  const accuracy = (value: number) => ({ top1: value, top5: value + 20, loss: 2.5, count: 40 });
  const events = [
    { time: time(0), type: 'start', config, parameters: 78_042, teacher: accuracy(77.5), environment: { node: 'v20' } },
    { time: time(1), type: 'notice', message: 'memory ran out' },
    ...top1.map((value, i) => ({
      time: time(2 + i),
      type: 'epoch',
      epoch: i + 1,
      epochs,
      lr: 0.05 / (i + 1),
      loss: 3.25 - i,
      terms: { ce: 2.125 - i, '<fm>': 0.5 },
      test: accuracy(value),
      imagesPerSecond: 1234.5,
      seconds: 1.5,
    })),
    { time: time(60), type: 'checkpoint', step: 8, file: 'x' },
    { time: time(61), type: 'end', test: accuracy(top1.at(-1) ?? 0), epoch: epochs, seconds: 12 },
  ];
  writeFileSync(
    join(folder, 'config.yaml'),
    Object.entries(config)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
      .join(''),
  );
  writeFileSync(join(folder, 'events.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  return folder;
}
