/** Handles output that is no longer read, as in `srrl models | head -1`, or that cannot be written. */

import { writeSync } from 'node:fs';

/** The exit code that a shell reports for a program killed by SIGPIPE. */
const exitCode = 141;

let stopRun: (() => void) | undefined;

/** Registers an active run, which is stopped with a checkpoint instead; the returned function unregisters it. */
export function stopWithoutReader(stop: () => void): () => void {
  stopRun = stop;
  return () => {
    stopRun = undefined;
  };
}

/** Reports an output that cannot be written, as on a full disk. Writes directly, because standard error may be it. */
function complain(error: Error): void {
  try {
    writeSync(2, `srrl: the output cannot be written: ${error.message}\n`);
  } catch {
    // Standard error cannot be written either.
  }
}

/** Ends the process silently if its output is closed, and with one line if the output cannot be written. */
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
