/** Receivers of a run's events: a terminal, a log, an experiment tracker. */
import { messageOf } from '../errors.js';
import type { TrainEvent } from './events.js';

/**
 * Receives every event of a run, in order. The run waits for promises; in its own thread it continues computing, and a
 * step event that is still waiting is replaced by the next one.
 */
export interface Reporter {
  /** Name in notices. */
  readonly name: string;
  on(event: TrainEvent): void | Promise<void>;
  /** Called after the last event; `error` is the error that ended the run, if any. */
  close?(error?: unknown): void | Promise<void>;
}

/** The reporters of one run. A reporter that throws receives no more events, and the run continues. */
class Audience {
  readonly #active: Set<Reporter>;
  /** Messages about reporters that threw. */
  #problems: string[] = [];

  constructor(reporters: readonly Reporter[]) {
    this.#active = new Set(reporters);
  }

  async tell(event: TrainEvent): Promise<void> {
    await this.#each((reporter) => reporter.on(event));
  }

  async close(failure: unknown): Promise<void> {
    await this.#each((reporter) => reporter.close?.(failure));
    for (const message of this.takeProblems()) process.emitWarning(message);
  }

  takeProblems(): string[] {
    const problems = this.#problems;
    this.#problems = [];
    return problems;
  }

  async #each(body: (reporter: Reporter) => void | Promise<void>): Promise<void> {
    for (const reporter of this.#active) {
      try {
        await body(reporter);
      } catch (error) {
        this.#active.delete(reporter);
        this.#problems.push(`the reporter ${reporter.name} failed and receives no more events: ${messageOf(error)}`);
      }
    }
  }
}

type Notice = Extract<TrainEvent, { type: 'notice' }>;

/** Passes each event to the reporters, then yields it. If a reporter throws, yields a notice. */
export function reported<Event extends TrainEvent>(
  events: AsyncIterable<Event>,
  reporters: readonly Reporter[],
): AsyncGenerator<Event | Notice, void> {
  const audience = new Audience(reporters);
  return told(events, [audience], () => audience);
}

/** Does the same for several students: reporters receive the events of their student. */
export function reportedByStudent<Event extends TrainEvent & { student: string }>(
  events: AsyncIterable<Event>,
  reporters: Readonly<Record<string, readonly Reporter[]>>,
): AsyncGenerator<Event | (Notice & { student: string }), void> {
  const audiences = new Map(Object.entries(reporters).map(([student, own]) => [student, new Audience(own)]));
  const stream = told(events, [...audiences.values()], ({ student }) => audiences.get(student));
  return stream as AsyncGenerator<Event | (Notice & { student: string }), void>;
}

async function* told<Event extends TrainEvent>(
  events: AsyncIterable<Event>,
  audiences: readonly Audience[],
  audienceOf: (event: Event) => Audience | undefined,
): AsyncGenerator<Event | Notice, void> {
  let failure: unknown;
  try {
    for await (const event of events) {
      const audience = audienceOf(event);
      await audience?.tell(event);
      yield event;
      for (const message of audience?.takeProblems() ?? []) {
        // A notice about a student's reporter carries that student's name.
        const notice: Notice = { ...('student' in event && { student: event.student }), type: 'notice', message };
        await audience?.tell(notice);
        yield notice;
      }
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    for (const audience of audiences) await audience.close(failure);
  }
}
