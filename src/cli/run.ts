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
  /** The name of the run on the live page. */
  name?: string;
  /** Folder for event files of TensorBoard. */
  tensorboard?: string | undefined;
  /** Further reporters, as `module:FILE`. */
  reporters?: readonly string[] | undefined;
  /** The command that resumes the run; undefined if it has no folder. */
  resume?: string | undefined;
}

/** Returns the command that resumes a stopped run; undefined without a folder. */
export const resumeCommand = (command: 'distill' | 'train', out: unknown): string | undefined =>
  typeof out === 'string' ? srrlCommand(command, '--resume', '--out', out) : undefined;

/** Prints how to resume a stopped run. */
export function sayHowToResume(stopped: End['stopped'], resume: string | undefined): void {
  if (stopped !== 'asked' && stopped !== 'time budget') return;
  const why = stopped === 'asked' ? 'Stopped' : 'Stopped at the end of the time budget';
  const how = resume === undefined ? 'Nothing was saved: use --out to be able to resume' : `Resume with: ${resume}`;
  console.error(`${why}. ${how}`);
}

/**
 * Consumes a run, passes its events to reporters, and returns its first and last event. The first Ctrl-C or SIGTERM
 * stops the run after its step and saves; the second ends the process.
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
  // With several processes, another one may have been asked to stop.
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
 * Returns the reporters that `--tensorboard`, `--reporters` and `--ui` ask for, for each run by its name. With several
 * runs, `folders` names a TensorBoard folder for each.
 */
export async function furtherReporters(
  names: readonly string[],
  { ui, tensorboard, reporters = [] }: Pick<Showing, 'ui' | 'tensorboard' | 'reporters'>,
  folders?: readonly string[],
): Promise<Reporter[][]> {
  // These can fail, so they come first: a live page that is already served would keep the process alive.
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

/** Exit codes that a shell reports for these signals. */
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
 * Returns an AbortSignal that fires at the first Ctrl-C, for work with nothing to save; the second ends the process.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new InterruptedError()));
  return controller.signal;
}
