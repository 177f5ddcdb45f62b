/** The worker thread of a run: runs it, and sends its events. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Command, Control } from './control.js';
import { packed } from './packed-error.js';
import type { Message, Task } from './remote.js';
import { run } from './run.js';
import { runTogether } from './together.js';

// Removes the worker's file, so that the recorded command line is that of the program.
process.argv.splice(1, 1);

const say = (message: Message) => parentPort?.postMessage(message);
const abort = new AbortController();
const control = new Control(abort.signal);

parentPort?.on('message', (command: Command) => {
  if (command === 'abort') abort.abort();
  else control[command]();
});

try {
  const task = workerData as Task;
  const events = 'one' in task ? run(task.one, control) : runTogether(task.together, control);
  for await (const event of events) say({ type: 'event', event });
  say({ type: 'done' });
} catch (error) {
  say({ type: 'error', error: packed(error) });
} finally {
  parentPort?.close();
}
