import { EMA } from '../optim/index.js';
import type { Trainer } from './trainer.js';

/** Runs `body` while the student holds its averaged weights, if the run keeps an EMA. */
export async function* withAverages<Event, T>(
  { ema, setup: { student } }: Trainer,
  body: () => AsyncGenerator<Event, T>,
): AsyncGenerator<Event, T> {
  if (!ema) return yield* body();
  const own = new EMA(student, { decay: 0 });
  ema.copyTo(student);
  try {
    return yield* body();
  } finally {
    own.copyTo(student);
    own.dispose();
  }
}
