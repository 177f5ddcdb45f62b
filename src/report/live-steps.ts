/** The steps of an active run, thinned to as many as a curve needs. */
import type { StepEvent } from '../train/index.js';
import { type StepRow, thinned } from './step-rows.js';
import { durationText } from './terminal.js';

/** The most rows kept; beyond, pairs of rows are merged. */
const mostRows = 1000;
/** The weight of the newest step in the moving average of the speed. */
const newest = 0.1;

export class StepHistory {
  #rows: StepRow[] = [];
  #last: StepEvent | undefined;
  #first: { step: number; at: number } | undefined;
  #speed: number | undefined;

  add(event: StepEvent): void {
    this.#last = event;
    this.#first ??= { step: event.step, at: performance.now() };
    const { step, loss, terms = {}, imagesPerSecond } = event;
    if (loss === undefined || imagesPerSecond === undefined) return;
    this.#speed = this.#speed === undefined ? imagesPerSecond : (1 - newest) * this.#speed + newest * imagesPerSecond;
    const named = Object.entries(terms).map(([name, value]) => [`term_${name}`, value]);
    this.#rows.push({ step, loss, ...Object.fromEntries(named), images_per_second: imagesPerSecond });
    if (this.#rows.length > 2 * mostRows) this.#rows = thinned(this.#rows, mostRows);
  }

  get rows(): readonly StepRow[] {
    return this.#rows;
  }

  /** The state of the latest step, as the page shows it. */
  get state() {
    const { step = 0, steps = 0, epoch = 0, epochs = 0, loss } = this.#last ?? {};
    const speed = this.#speed === undefined ? '' : `, ${Math.round(this.#speed)} images/s`;
    const text = `step ${step} of ${steps}, epoch ${epoch} of ${epochs}`;
    const value = loss === undefined ? '' : `, loss ${loss.toFixed(3)}`;
    return { step, steps, text: `${text}${value}${speed}${this.#left(step, steps)}` };
  }

  #left(step: number, steps: number): string {
    const first = this.#first;
    if (!first || step <= first.step) return '';
    const perStep = (performance.now() - first.at) / 1000 / (step - first.step);
    return `, about ${durationText(perStep * (steps - step))} left`;
  }
}
