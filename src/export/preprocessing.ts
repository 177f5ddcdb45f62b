/** Adds normalization and softmax to the network. */
import { tensor } from '../tensor/index.js';
import type { ExportCard } from './card.js';
import { call, float, type Graph, int, ints, none, renamed, type ValueInfo, value } from './graph.js';
import { cast } from './precision.js';

/**
 * Returns the graph for uint8 images [N, H, W, C], as every decoder returns them, instead of normalized ones, and with
 * probabilities instead of logits. It does not change sizes: callers resize and crop images first.
 */
export function withPreprocessing(graph: Graph, { mean, std }: Pick<ExportCard, 'mean' | 'std'>): Graph {
  const [logits = ''] = graph.outputs;
  const images = graph.values.get('images') as ValueInfo;
  const [batch, channels = 1, height = null, width = null] = images.shape;
  const planes: ValueInfo = { shape: images.shape, dtype: 'uint8' };
  const values = new Map(graph.values);
  values.set('images', { shape: [batch as 'batch', height, width, channels], dtype: 'uint8' });
  values.set('planes', planes);
  const weights = new Map(graph.weights);
  const nodes = [call('aten::permute', { self: value('images'), dims: ints([0, 3, 1, 2]) }, 'planes')];
  const add = (node: (typeof nodes)[number], name: string) => {
    nodes.push(node);
    values.set(name, images);
    return name;
  };
  let last = add(cast('planes', 'pixels', 'float32'), 'pixels');
  last = add(call('aten::div', { self: value(last), other: float(255) }, 'scaled', { overload: 'Tensor' }), 'scaled');
  if (mean && std) {
    for (const [name, numbers] of Object.entries({ pixel_mean: mean, pixel_std: std }))
      weights.set(name, { tensor: tensor([...numbers], { dtype: 'float32' }).reshape([-1, 1, 1]), kind: 'constant' });
    const centered = { self: value(last), other: value('pixel_mean'), alpha: int(1) };
    last = add(call('aten::sub', centered, 'centered', { overload: 'Tensor' }), 'centered');
    const divided = { self: value(last), other: value('pixel_std') };
    last = add(call('aten::div', divided, 'normalized', { overload: 'Tensor' }), 'normalized');
  }
  const names = new Map([['images', last]]);
  const inner = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => ({ ...input, value: renamed(input.value, names) })),
  }));
  const softmax = call('aten::softmax', { self: value(logits), dim: int(1), dtype: none }, 'probabilities', {
    overload: 'int',
  });
  values.set('probabilities', graph.values.get(logits) as ValueInfo);
  return { ...graph, values, weights, nodes: [...nodes, ...inner, softmax], outputs: ['probabilities'] };
}
