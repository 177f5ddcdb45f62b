/** Shows a run's events: a bar and lines for people, JSON lines for machines. */
import { join } from 'node:path';
import { InterruptedError } from '../errors.js';
import type { End, Start } from '../report/event-text.js';
import { JsonReporter, LiveReporter, TensorBoardReporter, TerminalReporter } from '../report/reporters/index.js';
import { srrlCommand } from '../shell.js';
import { type Reporter, type Run, reported, resolveReporter } from '../train/index.js';
import { stopWithoutReader } from './broken-pipe.js';
import { processes, speaks } from './ranks.js';

/** How a run is shown. */
export interface Showing {
  json: boolean;
  ui?: boolean;
  /** What the live page calls it. */
  name?: string;
  /** Folder for event files of TensorBoard. */
  tensorboard?: string | undefined;
  /** Further reporters, as `module:FILE`. */
  reporters?: readonly string[] | undefined;
  /** The command that resumes the run; undefined where it has no folder. */
  resume?: string | undefined;
}

/** The command that resumes what was stopped. */
export const resumeCommand = (command: 'distill' | 'train', out: unknown): string | undefined =>
  typeof out === 'string' ? srrlCommand(command, '--resume', '--out', out) : undefined;

/** Says how a run that was stopped can be resumed. */
export function sayHowToResume(stopped: End['stopped'], resume: string | undefined): void {
  if (stopped !== 'asked' && stopped !== 'time budget') return;
  const why = stopped === 'asked' ? 'Stopped' : 'Stopped at the end of the time budget';
  const how = resume === undefined ? 'Nothing was saved: use --out to be able to resume' : `Resume with: ${resume}`;
  console.error(`${why}. ${how}`);
}

/**
 * Consumes a run, tells reporters of it, and returns how it began and ended. The first Ctrl-C or SIGTERM ends it after
 * its step and saves; the second ends the process.
 */
export async function showRun(run: Run, showing: Showing): Promise<{ start: Start; end: End }> {
  const { json, resume } = showing;
  const stopListening = stopOnSignal(run);
  let [start, end]: [Start?, End?] = [];
  try {
    for await (const event of reported(run, await reportersFor(showing))) {
      if (event.type === 'start') start = event;
      if (event.type === 'end') end = event;
    }
  } finally {
    stopListening();
  }
  // Where several processes run it, another one may have been asked to stop.
  if (end?.stopped === 'asked' && processes() > 1) process.exitCode ??= exitCodes.SIGTERM;
  if (!json && end && speaks()) sayHowToResume(end.stopped, resume);
  return { start, end } as { start: Start; end: End };
}

async function reportersFor({ json, name = 'run', ...asked }: Showing): Promise<Reporter[]> {
  if (!speaks()) return [];
  const [further = []] = await furtherReporters([name], asked);
  return [json ? new JsonReporter() : new TerminalReporter(), ...further];
}

/**
 * What `--tensorboard`, `--reporters` and `--ui` ask for, for each run by its name. Runs of several have a folder each
 * for TensorBoard, `folders`.
 */
export async function furtherReporters(
  names: readonly string[],
  { ui, tensorboard, reporters = [] }: Pick<Showing, 'ui' | 'tensorboard' | 'reporters'>,
  folders?: readonly string[],
): Promise<Reporter[][]> {
  // What can fail comes first: a page that is served would keep the process alive.
  const own = await Promise.all(
    names.map((name) => Promise.all(reporters.map((text) => resolveReporter(text, { name })))),
  );
  const found: Reporter[][] = [];
  for (const [i, name] of names.entries())
    found.push([
      ...(tensorboard === undefined ? [] : [new TensorBoardReporter(join(tensorboard, folders?.[i] ?? ''))]),
      ...(own[i] ?? []),
      ...(ui ? [await LiveReporter.serve(name)] : []),
    ]);
  return found;
}

/** Exit codes as a shell gives them for these signals. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

export function stopOnSignal(run: Pick<Run, 'stop'>): () => void {
  const handlers = Object.entries(exitCodes).map(([signal, code]): (() => void) => {
    const handler = () => {
      process.exitCode = code;
      run.stop();
    };
    process.once(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  handlers.push(stopWithoutReader(() => run.stop()));
  return () => {
    for (const remove of handlers) remove();
  };
}

/**
 * An AbortSignal that fires at the first Ctrl-C, for work that has nothing to save; the second ends the process as
 * usual.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new InterruptedError()));
  return controller.signal;
}
