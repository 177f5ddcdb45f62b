import { join } from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import { Loader } from '../../data/loader.js';
import { ModelTeacher } from '../../distill/model-teacher.js';
import { savePth } from '../../files/index.js';
import type { Batch, Features } from '../../flow.js';
import { autocast, DeviceGraph, keep, noGrad, scope, type Tensor } from '../../tensor/index.js';
import { deviceType } from '../../train/algorithms.js';
import { trainOptions } from '../../train/index.js';
import { targetsOf, teacherOptions } from '../../train/targets.js';
import { milliseconds } from '../clock.js';
import { gpuForms } from '../forms.js';
import { noise, type Pair, pairs, settledTeacher } from '../pairs.js';
import { caseSuffix, sized, stepsOf, toleranceOf } from '../sizes.js';
import type { BenchContext, Case, OpenCase, PeerForm, Suite } from '../suite.js';

const eager: readonly PeerForm[] = [
  { name: 'eager, NCHW', variant: 'eager' },
  { name: 'eager, channels_last', variant: 'channels_last' },
];
const peers: readonly PeerForm[] = [
  ...eager,
  { name: 'jit.optimize_for_inference, channels_last', variant: 'frozen' },
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, max-autotune', variant: 'max-autotune', compiled: true },
];

export const teacherSuite: Suite = {
  name: 'teacher',
  summary: 'features and logits of the frozen teacher for a batch, in the form that a run uses',
  peer: 'teacher.py',
  rounds: 5,
  weight: 2,
  cases: (context) =>
    pairs
      .flatMap((pair) => sized(pair, context))
      .map(
        (pair): Case => ({
          name: `${pair.teacher}${caseSuffix(context, pair.batchSize)}`,
          unit: 'images/s',
          better: 'higher',
          peers: context.device === 'cpu' ? peers : gpuForms('forward', eager),
          open: () => open(pair, context),
        }),
      ),
};

function open(pair: Pair, context: BenchContext): OpenCase {
  const { folder, device, precision } = context;
  const { batchSize } = pair;
  const data = noise(pair);
  const given = firstBatch(data, batchSize);
  const model = settledTeacher(pair.teacher, pair.numClasses, given.images);
  const file = join(folder, `${pair.teacher}.pth`);
  scope(() => savePth(file, { images: given.images, teacher: model.stateDict() }));
  const teacher = ModelTeacher.of(model.to({ device }), pair.teacher);
  const options = trainOptions.parse({ batchSize, device, precision });
  const targets = targetsOf({ teacher, data, options, teacherOptions: teacherOptions.parse({}) });
  const batch = onDevice(given, device);
  const narrow = <T>(body: () => T): T =>
    precision === 'float32' ? body() : autocast(deviceType(device), body, { dtype: precision });
  const forward = <T>(use: (features: Features) => T) =>
    scope(() => noGrad(() => use(narrow(() => targets.of(batch)))));
  let graph: DeviceGraph | undefined;
  const steps = stepsOf(context);
  const several = () => {
    for (let step = 0; step < steps; step++) {
      if (graph) graph.replay();
      else forward(() => undefined);
    }
  };
  return {
    question: { ...pair, file, steps, device, precision },
    // Mean magnitudes, because plain means nearly cancel out and would only compare rounding.
    check: () =>
      forward(({ pooled, logits }) => ({
        feature: Number(pooled.abs().mean().item()),
        logits: Number(logits.abs().mean().item()),
        'logits of the last image': Number(logits.select(0, -1).abs().mean().item()),
      })),
    ...toleranceOf(context),
    async measure() {
      if (DeviceGraph.availableOn(device)) graph ??= captured(device, () => forward(() => undefined));
      return (1000 * steps * batchSize) / (await milliseconds(several, device));
    },
    dispose() {
      graph?.dispose();
      targets.dispose();
      teacher.dispose();
      for (const tensor of tensorsOf(batch)) tensor.dispose();
    },
  };
}

/** Returns our loader's first batch, which the peer receives too. */
function firstBatch(data: Dataset, batchSize: number): Batch {
  const loader = new Loader(data, 'train', { batchSize });
  loader.begin(0);
  const batch = scope((): Batch => loader.batch(0));
  loader.dispose();
  return batch;
}

const tensorsOf = ({ images, labels, indices }: Batch): Tensor[] => [images, labels, indices];

/** Moves a batch to a device and frees the original; on the CPU returns it unchanged. */
function onDevice(batch: Batch, device: string): Batch {
  if (device === 'cpu') return batch;
  const [images, labels, indices] = scope(() => tensorsOf(batch).map((tensor) => keep(tensor.to({ device }))));
  for (const tensor of tensorsOf(batch)) tensor.dispose();
  return { ...batch, images, labels, indices } as Batch;
}

/** Captures the work in a device graph at the third call, as a run does. */
function captured(device: string, work: () => void): DeviceGraph {
  for (let i = 0; i < 2; i++) work();
  return DeviceGraph.record(device, work);
}
