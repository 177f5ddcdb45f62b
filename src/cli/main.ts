/**
 * `srrl`: parses the arguments, runs a command, and turns errors into one or two lines and an exit code (1; 2 for
 * usage).
 */
import { Command as Commander, CommanderError } from 'commander';
import { ConfigError, InterruptedError, messageOf, SrrlError } from '../errors.js';
import { packageVersion } from '../native.js';
import { printable } from '../printable.js';
import { hasStuckThread } from '../train/remote.js';
import { exitQuietlyWithoutReader } from './broken-pipe.js';
import { addCommand } from './command.js';
import { commands } from './commands/index.js';
import { addCompletion } from './completion.js';
import { helpConfiguration } from './help.js';
import { printSafely } from './print.js';
import { endWithLauncher, speaker } from './ranks.js';

const program = new Commander('srrl')
  .description('Knowledge distillation (SRRL) at native speed from Node.js.')
  .version(packageVersion)
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(printable(text)) })
  .configureHelp(helpConfiguration)
  .showSuggestionAfterError();
for (const command of commands) addCommand(program, command);
addCompletion(program);

/** Ends the process as SIGTERM does, because Node.js would wait for a read from a disk that does not answer. */
async function endAtOnce(): Promise<void> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  process.emit('exit', 1);
  process.removeAllListeners('SIGTERM').kill(process.pid, 'SIGTERM');
}

exitQuietlyWithoutReader();
endWithLauncher();
printSafely();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version also end here, with exit code 0; Commander has printed the text.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const stack = !(error instanceof SrrlError) && error instanceof Error ? `\n${error.stack}` : '';
    console.error(`srrl: ${speaker()}${messageOf(error)}${stack}`);
    // 130 is the exit code that a shell reports for a program ended by Ctrl-C.
    process.exitCode = error instanceof InterruptedError ? 130 : error instanceof ConfigError ? 2 : 1;
    if (hasStuckThread()) await endAtOnce();
  }
}
