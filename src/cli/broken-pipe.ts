/** What happens when nobody reads the output any more, as in `srrl models | head -1`. */

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

/** Ends the process without a word when its output is closed. */
export function exitQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exitCode = exitCode;
      if (stopRun) stopRun();
      else process.exit(exitCode);
    });
  }
}
