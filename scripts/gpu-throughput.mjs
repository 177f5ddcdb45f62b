// Throughput of distill() from beginning to end on a device, and the kernels of its steps. Needs dist/ and the addon.
//   node scripts/gpu-throughput.mjs PAIR BATCH [--plain] [--steps N] [--students N] [--trace FILE] [--device cuda:0]
// PAIR: 0 wrn_40_2 -> wrn_16_2, 1 resnet32x4 -> resnet8x4 (32x32), 2 resnet34 -> resnet18 (224x224), as in srrl bench.
// bfloat16, SRRL with a live teacher, random images in memory, four epochs of which the second is measured; --trace
// records the third. Several students are trained together, and one alone for comparison.
import { parseArgs } from 'node:util';
import { startClock } from '../dist/bench/clock.js';
import { noise, pairs, settledTeacher } from '../dist/bench/pairs.js';
import { ModelTeacher } from '../dist/distill/model-teacher.js';
import { distill, distillTogether } from '../dist/index.js';
import torch from '../dist/torch.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    plain: { type: 'boolean', default: false },
    steps: { type: 'string', default: '100' },
    students: { type: 'string', default: '1' },
    trace: { type: 'string' },
    device: { type: 'string', default: 'cuda:0' },
    precision: { type: 'string', default: 'bfloat16' },
  },
});
const [pair, batchSize] = [pairs[Number(positionals[0] ?? 0)], Number(positionals[1] ?? 64)];
const [stepsPerEpoch, students] = [Number(values.steps), Number(values.students)];
const { device, precision } = values;
const epochs = 4;

/** Random images; few of them to be evaluated on. */
function images() {
  const data = noise({ ...pair, batchSize }, stepsPerEpoch);
  const size = data.test.images.length / data.test.labels.length;
  return {
    ...data,
    test: { images: data.test.images.subarray(0, 64 * size), labels: data.test.labels.subarray(0, 64) },
  };
}

const data = images();
const teacher = torch.scope(() => {
  const first = torch.randn([16, 3, pair.size, pair.size]).contiguous({ memoryFormat: 'channelsLast' });
  return ModelTeacher.of(settledTeacher(pair.teacher, pair.numClasses, first).to({ device }), pair.teacher);
});
const setupOf = (seed) => ({
  ...{ teacher, data, student: pair.student, batchSize, epochs, lr: 0.001, device, precision, seed, dataSeed: 0 },
  ...{ kernels: values.plain ? 'plain' : 'auto', evaluateEvery: epochs },
});

/** Milliseconds of a student's step in the second epoch. */
async function stepTime(run, count) {
  const reached = new Map();
  const done = () => [...reached.values()].reduce((sum, step) => sum + step, 0);
  let stop, before, result, profiler, from;
  for await (const event of run) {
    if (event.type === 'notice' && !event.message.includes('is right in')) console.log(`notice: ${event.message}`);
    if (event.type !== 'step') continue;
    reached.set(event.student ?? '', event.step);
    if (event.epoch === 2 && !stop && reached.size === count) [before, stop] = [done(), startClock(device)];
    if (event.epoch === 3 && result === undefined) {
      const spent = stop();
      result = spent / (done() - before);
      if (values.trace) [profiler, from] = [new torch.Profiler().start(), event.step];
    } else if (profiler && event.step >= 3 * stepsPerEpoch) {
      torch.synchronize();
      showProfile(profiler.stop(), event.step - from);
      profiler = undefined;
    }
  }
  return result;
}

function showProfile(profile, steps) {
  const rows = profile.rows({ groupBy: 'kernel', sortBy: 'deviceTotal' });
  const [count, time] = ['calls', 'deviceTotal'].map((key) => rows.reduce((sum, row) => sum + row[key], 0) / steps);
  console.log(`${count.toFixed(0)} kernels a step, ${time.toFixed(0)} us of kernels`);
  for (const { name, calls, deviceTotal } of rows.slice(0, 40))
    console.log(
      `${(deviceTotal / steps).toFixed(1).padStart(8)} us ${(calls / steps).toFixed(1).padStart(6)} x  ${name.slice(0, 90)}`,
    );
  profile.exportChromeTrace(values.trace);
}

const name = `${pair.teacher} -> ${pair.student}, ${batchSize} images, ${precision}${values.plain ? ', plain kernels' : ''}`;
const report = (what, time) =>
  console.log(`${name}${what}: ${((1000 * batchSize) / time).toFixed(0)} images/s, ${time.toFixed(3)} ms`);
if (students > 1) {
  const setups = Object.fromEntries(Array.from({ length: students }, (_, i) => [`student ${i}`, setupOf(i)]));
  report(`, ${students} students together, each student's step`, await stepTime(distillTogether(setups), students));
}
report('', await stepTime(distill(setupOf(0)), 1));
if (device.startsWith('cuda'))
  console.log(`peak ${(torch.deviceMemory(device).peakAllocated / 2 ** 20).toFixed(0)} MiB`);
