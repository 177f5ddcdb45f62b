/** What happens when nobody reads the output any more, as in `srrl models | head -1`. */

import { writeSync } from 'node:fs';

/** As a shell reports a program that SIGPIPE ended. */
const exitCode = 141;

let stopRun: (() => void) | undefined;

/** An active run is stopped instead, with a checkpoint; the function returned ends that. */
export function stopWithoutReader(stop: () => void): () => void {
  stopRun = stop;
  return () => {
    stopRun = undefined;
  };
}

/**
 * Of an output that cannot be written, as on a full disk; by another way, because standard error may be that output.
 */
function complain(error: Error): void {
  try {
    writeSync(2, `srrl: the output cannot be written: ${error.message}\n`);
  } catch {
    // Nobody can be told.
  }
}

/** Ends the process without a word when its output is closed, and with one line when it cannot be written. */
export function exitQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const closed = error.code === 'EPIPE';
      if (!closed) complain(error);
      process.exitCode = closed ? exitCode : 1;
      if (stopRun) stopRun();
      else process.exit(process.exitCode);
    });
  }
}
