// How long the event loop of a program is held up while a run goes on in its thread.
//   node bench/event-loop.mjs
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { distill } from '../dist/index.js';

const delay = monitorEventLoopDelay({ resolution: 1 });
const run = distill({
  data: 'shapes:1200',
  teacher: 'assets/shapes-teacher.pt',
  student: 'resnet8',
  epochs: 3,
  batchSize: 32,
});
delay.enable();
let steps = 0;
for await (const event of run) if (event.type === 'step') steps = event.step;
delay.disable();
const milliseconds = (nanoseconds) => (nanoseconds / 1e6).toFixed(2);
console.log(
  `${steps} steps; delay of the event loop: median ${milliseconds(delay.percentile(50))} ms, p99 ${milliseconds(delay.percentile(99))} ms, highest ${milliseconds(delay.max)} ms`,
);
