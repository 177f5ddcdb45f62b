/** The thread of a run: does it, and says what happens. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Command, Control } from './control.js';
import type { Message } from './remote.js';
import { run } from './run.js';
import type { DistillSetup, StudentSetup } from './setup.js';

const say = (message: Message) => parentPort?.postMessage(message);
const abort = new AbortController();
const control = new Control(abort.signal);

parentPort?.on('message', (command: Command) => {
  if (command === 'abort') abort.abort();
  else control[command]();
});

try {
  for await (const event of run(workerData as StudentSetup | DistillSetup, control)) say({ type: 'event', event });
  say({ type: 'done' });
} catch (error) {
  const { name, message, stack } = error as Error;
  const { code } = error as { code?: unknown };
  say({
    type: 'error',
    name,
    message,
    ...(typeof code === 'string' && { code }),
    ...(stack !== undefined && { stack }),
  });
} finally {
  parentPort?.close();
}
