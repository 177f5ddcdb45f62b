/** Who hears of a run while it is active: a terminal, a log, a tracker of experiments. */
import { messageOf } from '../errors.js';
import type { TrainEvent } from './events.js';

/**
 * Hears every event of a run, in order. The run waits for promises; in a thread of its own it continues computing, and
 * steps that nobody has taken yet give way to the next one.
 */
export interface Reporter {
  /** What a notice calls it. */
  readonly name: string;
  on(event: TrainEvent): void | Promise<void>;
  /** Hears that nothing more comes; `error` is what ended the run, where something did. */
  close?(error?: unknown): void | Promise<void>;
}

/**
 * Tells reporters of each event, and hands it on. A reporter that throws does not end the run: it is left out from then
 * on, and a notice says so.
 */
export async function* reported<Event extends TrainEvent>(
  events: AsyncIterable<Event>,
  reporters: readonly Reporter[],
): AsyncGenerator<Event | Extract<TrainEvent, { type: 'notice' }>, void> {
  const active = new Set(reporters);
  const problems: string[] = [];
  const attempt = async (reporter: Reporter, body: () => void | Promise<void>) => {
    try {
      await body();
    } catch (error) {
      active.delete(reporter);
      problems.push(`the reporter ${reporter.name} failed and hears nothing more: ${messageOf(error)}`);
    }
  };
  const tell = async (event: TrainEvent) => {
    for (const reporter of active) await attempt(reporter, () => reporter.on(event));
  };
  let failure: unknown;
  try {
    for await (const event of events) {
      await tell(event);
      yield event;
      for (let message = problems.shift(); message !== undefined; message = problems.shift()) {
        const notice = { type: 'notice', message } as const;
        await tell(notice);
        yield notice;
      }
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    for (const reporter of active) await attempt(reporter, () => reporter.close?.(failure));
    for (const message of problems) process.emitWarning(message);
  }
}
