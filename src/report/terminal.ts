/** Output for people: a progress bar on a terminal, plain lines elsewhere. */
import stringWidth from 'string-width';
import type { Accuracy, EpochRecord } from '../flow.js';
import { printable } from '../printable.js';
import type { StallEvent } from '../train/index.js';
import { widthOf, wrap } from './layout.js';

export { table } from './layout.js';

export const percent = (value: number): string => `${value.toFixed(2)} %`;

/** Formats an accuracy, as in `61.24 % top-1, 92.10 % top-5 (1200 images)`. */
export const accuracyText = ({ top1, top5, count }: Pick<Accuracy, 'top1' | 'top5' | 'count'>): string =>
  `${percent(top1)} top-1, ${percent(top5)} top-5 (${count} images)`;

export function durationText(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Describes what a run waits for. */
export const stallText = ({ waited, file, image, split, missing }: StallEvent): string =>
  `waiting for ${durationText(waited)} for ${file} (image ${image} of the ${split} split); ${missing} of its batch are missing`;

const dateFormat = new Intl.DateTimeFormat('en', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });

/** Formats a date in ISO 8601, as in `November 27, 2026 at 3:04 PM UTC`. */
export const dateText = (iso: string): string => `${dateFormat.format(new Date(iso))} UTC`;

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

/** The longest and shortest bar, in columns; with less room there is none. */
const [longestBar, shortestBar] = [24, 8];

/**
 * Returns a line of progress that fits `width`: a bar in the remaining room, then `parts`, most important first. Parts
 * that do not fit are left out.
 */
export function progressLine(share: number, parts: readonly string[], width: number): string {
  const shown: string[] = [];
  for (const part of parts) if (stringWidth([...shown, part].join('  ')) <= width) shown.push(part);
  const text = shown.join('  ');
  const bar = Math.min(longestBar, width - stringWidth(text) - 1);
  if (bar < shortestBar) return text;
  const done = Math.round(Math.max(0, Math.min(1, share)) * bar);
  return `${'█'.repeat(done)}${'░'.repeat(bar - done)} ${text}`;
}

interface ProgressOptions {
  quiet?: boolean;
  from?: number;
  stream?: NodeJS.WriteStream;
}

/** Milliseconds between two redraws of the bar, and between two lines without a terminal. */
const [redrawEvery, lineEvery] = [125, 10_000];

/** Shows progress over a number of units, with speed and estimated time: a bar on a terminal, lines elsewhere. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #began = performance.now();
  readonly #from: number;
  readonly #quiet: boolean;
  #shown: number;
  /** The text on the last line of the terminal. */
  #line = '';

  /**
   * @param unit what is counted, as in `images`
   * @param quiet shows nothing
   * @param from units that were done before
   */
  constructor(
    readonly total: number,
    readonly unit: string,
    { quiet = false, from = 0, stream = process.stderr }: ProgressOptions = {},
  ) {
    [this.#from, this.#stream, this.#quiet] = [from, stream, quiet];
    this.#shown = this.#began;
  }

  update(done: number, label = ''): void {
    const now = performance.now();
    if (this.#quiet || now - this.#shown < (this.#stream.isTTY ? redrawEvery : lineEvery)) return;
    this.#shown = now;
    const rate = (done - this.#from) / ((now - this.#began) / 1000);
    const left = `left ${durationText((this.total - done) / rate)}`;
    const share = done / this.total;
    const parts = [
      `${(100 * share).toFixed(0)} %`,
      left,
      label,
      `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ${this.unit}/s`,
    ];
    const shown = parts.filter((part) => part !== '');
    if (!this.#stream.isTTY) return void this.#stream.write(`${shown.join('  ')}\n`);
    // The last column stays free, because some terminals begin a new line after it.
    this.#line = progressLine(share, shown, widthOf(this.#stream) - 1);
    this.#stream.write(`${clearLine}${this.#line}`);
  }

  /** Prints a line, above the bar if there is one; wraps it to the width of the terminal. */
  say(text: string): void {
    if (this.#quiet) return;
    const wrapped = wrap(printable(text), widthOf(this.#stream));
    this.#stream.write(this.#line === '' ? `${wrapped}\n` : `${clearLine}${wrapped}\n${this.#line}`);
  }

  /** Removes the bar. */
  stop(): void {
    if (this.#line !== '') this.#stream.write(clearLine);
    this.#line = '';
  }
}

const clearLine = '\r\u001b[K';

/** Returns mean and sample standard deviation; the latter is 0 for one value. */
export function meanAndSpread(values: number[]): { mean: number; spread: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}
