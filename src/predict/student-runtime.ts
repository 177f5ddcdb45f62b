/** Runs a saved student in its fastest form: one graph, with normalizations folded into convolutions. */
import { fasterGraph, mayStandIn } from '../distill/fast-form.js';
import { loadStudent, studentFileIn } from '../distill/saved-student.js';
import type { Classifier } from '../models/index.js';
import { FrozenGraph, Generator, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { readyCard } from './card.js';
import type { Runtime, RuntimeOptions } from './runtime.js';

export async function openStudent(source: string, { device, model, data }: RuntimeOptions): Promise<Runtime> {
  const file = studentFileIn(source);
  const loaded = loadStudent(file, model === undefined ? {} : { model });
  const student = loaded.student.requiresGrad_(false).to({ device, memoryFormat: 'channelsLast' });
  let graph: FrozenGraph | undefined;
  try {
    const card = await readyCard(file, loaded.card, data);
    graph = graphOf(student, [card.inChannels, ...card.preprocessing.crop], device);
    // The graph has its own copy of the weights.
    if (graph) student.dispose();
    const run = (images: Tensor): Tensor => noGrad(() => (graph ? only(graph, images) : student.forward(images)));
    const dispose = () => (graph ?? student).dispose();
    return { file, card, device, run, dispose };
  } catch (error) {
    graph?.dispose();
    student.dispose();
    throw error;
  }
}

const only = (graph: FrozenGraph, images: Tensor): Tensor => graph.run(images)[0] as Tensor;

/** Returns the student's logits as a graph; undefined if its outputs differ from the student's beyond rounding. */
function graphOf(student: Classifier, image: readonly number[], device: string): FrozenGraph | undefined {
  return scope(() =>
    noGrad(() => {
      const make = (count: number) =>
        torch.randn([count, ...image], { generator: new Generator(0) }).to({ device, memoryFormat: 'channelsLast' });
      // A second batch size detects a traced graph that has the first one as a constant.
      const batches = [2, 3].map(make);
      let graph: FrozenGraph | undefined;
      try {
        const trace = () => FrozenGraph.trace(batches[0] as Tensor, (images) => [student.forward(images)]);
        graph = fasterGraph(trace, device, 'float32');
        const found = graph;
        const isRight = (batch: Tensor) =>
          mayStandIn(
            () => found.run(batch),
            () => [student.forward(batch)],
            device,
            'float32',
          );
        if (batches.every(isRight)) return graph;
      } catch {
        // A student that cannot be traced runs without a graph.
      }
      graph?.dispose();
      return undefined;
    }),
  );
}
