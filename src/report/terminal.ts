/** What a person sees on the terminal: a bar where there is one to draw on, plain lines elsewhere. */
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import type { Accuracy, EpochRecord } from '../flow.js';
import { printable } from '../printable.js';

export const percent = (value: number): string => `${value.toFixed(2)} %`;

/** `61.24 % top-1, 92.10 % top-5 (1200 images)` */
export const accuracyText = ({ top1, top5, count }: Pick<Accuracy, 'top1' | 'top5' | 'count'>): string =>
  `${percent(top1)} top-1, ${percent(top5)} top-5 (${count} images)`;

export function durationText(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function epochText(record: EpochRecord): string {
  const { epoch, epochs, loss, terms, trainTop1, validation, test, imagesPerSecond } = record;
  const values = Object.entries(terms).map(([name, value]) => `${name} ${value.toFixed(3)}`);
  const parts = [
    `epoch ${epoch}/${epochs}`,
    `loss ${loss.toFixed(3)}${values.length > 1 ? ` (${values.join(', ')})` : ''}`,
    ...(trainTop1 === undefined ? [] : [`train ${percent(trainTop1)}`]),
    ...(validation ? [`validation ${percent(validation.top1)}`] : []),
    ...(test ? [`test ${percent(test.top1)}`] : []),
    `${Math.round(imagesPerSecond)} images/s`,
  ];
  return parts.join('  ');
}

/** Progress over a number of units, with rate and estimated time. */
export class Progress {
  readonly #bar: SingleBar | undefined;
  readonly #began = performance.now();
  readonly #from: number;
  #said = 0;

  /**
   * @param unit what is counted, as in `images`
   * @param quiet shows nothing
   * @param from units that were done before
   */
  constructor(
    readonly total: number,
    readonly unit: string,
    {
      quiet = false,
      from = 0,
      stream = process.stderr,
    }: { quiet?: boolean; from?: number; stream?: NodeJS.WriteStream } = {},
  ) {
    this.#from = from;
    if (quiet) return;
    if (stream.isTTY) {
      const format = `{bar} {percentage} %  {rate} ${unit}/s  left {left}  {label}`;
      this.#bar = new SingleBar({ format, stream, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 8 });
      this.#bar.start(total, 0, { rate: '-', left: '?', label: '' });
    } else {
      this.#line = (text) => stream.write(`${text}\n`);
    }
  }

  #line: (text: string) => void = () => {};

  update(done: number, label = ''): void {
    const seconds = (performance.now() - this.#began) / 1000;
    const rate = (done - this.#from) / seconds;
    const left = durationText((this.total - done) / rate);
    this.#bar?.update(done, { rate: Math.round(rate), left, label });
    // Without a terminal: a line every ten seconds, not one an update.
    if (!this.#bar && seconds - this.#said >= 10) {
      this.#said = seconds;
      this.#line(
        `${((100 * done) / this.total).toFixed(0)} %  ${Math.round(rate)} ${this.unit}/s  left ${left}  ${label}`,
      );
    }
  }

  /** A line above the bar, or just a line. */
  say(text: string): void {
    if (this.#bar) process.stderr.write(`\r\u001b[K${printable(text)}\n`);
    else this.#line(printable(text));
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** A table with a header. */
export function table(head: string[], rows: string[][]): string {
  const drawn = new Table({ head, style: { head: [], border: [] } });
  drawn.push(...rows);
  return drawn.toString();
}

/** Mean and sample standard deviation; the latter is 0 for one value. */
export function meanAndSpread(values: number[]): { mean: number; spread: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}
