/** Waits for images: stalled data loading is reported, and ends the run after `stallLimit`. */
import type { Loader } from '../data/loader.js';
import { StallError } from '../errors.js';
import { z } from '../options.js';
import type { StallEvent } from './events.js';

/** The longest time between two reports, in seconds; timers of Node are limited to 24 days. */
const day = 86_400;

export const stallOptions = z.strictObject({
  stallWarning: z
    .number()
    .positive()
    .max(day)
    .default(10)
    .describe('say what the run waits for after this many seconds without images'),
  stallLimit: z
    .number()
    .positive()
    .optional()
    .describe('end with an error after this many seconds without images; default: never'),
});

export interface Patience extends z.output<typeof stallOptions> {
  /** Ends the wait, ready or not: the caller must check it. */
  signal?: AbortSignal | undefined;
  /** Saves the state before an error. Returns its file. */
  save?: () => string | undefined;
}

/**
 * Waits until a batch is ready. Yields a stall event after `stallWarning` seconds, then each time after twice as long.
 * Throws StallError after `stallLimit` seconds, and the errors of reading and decoding.
 */
export async function* patiently(
  loader: Pick<Loader, 'ready' | 'waitsFor' | 'split'>,
  step: number,
  { stallWarning, stallLimit = Number.POSITIVE_INFINITY, signal, save }: Patience,
): AsyncGenerator<StallEvent, void> {
  const ready = loader.ready(step);
  const began = performance.now();
  const secondsSince = () => (performance.now() - began) / 1000;
  for (let interval = stallWarning; ; interval = Math.min(2 * interval, day)) {
    if (await within(ready, Math.min(interval, stallLimit - secondsSince()), signal)) return;
    if (signal?.aborted) return;
    const awaited = loader.waitsFor(step);
    // The last image has just come.
    if (!awaited) continue;
    const stall: StallEvent = { type: 'stall', split: loader.split, waited: secondsSince(), ...awaited };
    if (stall.waited >= stallLimit) throw stalled(stall, save?.());
    yield stall;
  }
}

/** Returns whether a promise resolves before the time is over and before the signal. Throws what it rejects with. */
export function within(promise: Promise<unknown>, seconds: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const giveUp = () => end(() => resolve(false));
    const timer = setTimeout(giveUp, 1000 * Math.max(0, Math.min(seconds, day)));
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      settle();
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    promise.then(
      () => end(() => resolve(true)),
      (error: unknown) => end(() => reject(error)),
    );
    if (signal?.aborted) giveUp();
  });
}

function stalled({ waited, file, image, split }: StallEvent, saved: string | undefined): StallError {
  const where = saved === undefined ? '' : `\nThe state before the step is in ${saved}.`;
  return new StallError(
    `Image ${image} of the ${split} split, ${file}, has not come for ${Math.round(waited)} s. Is the disk or network that holds it still there? Resume with --resume, or wait longer with --stall-limit.${where}`,
  );
}
