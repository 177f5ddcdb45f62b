/** Folds batch normalizations into the layers before them. */
import { noGrad, type Tensor, functions as torch } from '../tensor/index.js';
import { argument, call, type Graph, type GraphNode, resultOf, usersOf, value, type Weight } from './graph.js';

const foldable = /^aten::(conv[123]d|linear)$/;

/**
 * Returns the graph with each evaluation-mode normalization merged into its convolution or linear layer, if it is the
 * only reader of that layer. Computed in float64; equal up to rounding.
 */
export function folded(graph: Graph): Graph {
  const users = usersOf(graph);
  const makers = new Map(graph.nodes.map((node) => [resultOf(node), node]));
  const weights = new Map(graph.weights);
  const replaced = new Map<GraphNode, GraphNode | undefined>();
  for (const norm of graph.nodes) {
    const maker = makers.get(String(argument(norm, 'input').value));
    if (!isEvaluated(norm) || !maker || !foldable.test(maker.op) || !isOwn(maker, weights)) continue;
    if (users.get(resultOf(maker))?.length !== 1 || usesOfWeight(users, maker) > 1) continue;
    replaced.set(maker, merged(maker, norm, weights));
    replaced.set(norm, undefined);
  }
  const nodes = graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : [node]));
  return { ...graph, nodes, weights };
}

export function isEvaluated(node: GraphNode): boolean {
  const names = ['running_mean', 'running_var'].map((name) => argument(node, name).kind);
  return (
    node.op === 'aten::batch_norm' &&
    argument(node, 'training').value === false &&
    names.every((kind) => kind === 'name')
  );
}

/** Returns whether the node's weight is stored in the graph, and not computed. */
const isOwn = (node: GraphNode, weights: ReadonlyMap<string, Weight>): boolean =>
  weights.has(String(argument(node, 'weight').value));

const usesOfWeight = (users: Map<string, unknown[]>, node: GraphNode): number =>
  users.get(String(argument(node, 'weight').value))?.length ?? 0;

/** Returns the layer with the normalization in its weights; its result takes the name of the normalization's. */
function merged(layer: GraphNode, norm: GraphNode, weights: Map<string, Weight>): GraphNode {
  const weightName = String(argument(layer, 'weight').value);
  const held = (weights.get(weightName) as Weight).tensor;
  const { scale, shift } = scaleAndShift(norm, weights);
  const biasName =
    argument(layer, 'bias').kind === 'name' ? String(argument(layer, 'bias').value) : biasBeside(weightName);
  const bias = weights.get(biasName)?.tensor;
  noGrad(() => {
    const columns = new Array<number>(held.ndim - 1).fill(1);
    const weight = held
      .detach()
      .to('float64')
      .mul(scale.reshape([-1, ...columns]));
    const offset = bias ? bias.detach().to('float64').mul(scale).add(shift) : shift;
    weights.set(weightName, { tensor: weight.to(held.dtype), kind: 'parameter' });
    weights.set(biasName, { tensor: offset.to(held.dtype), kind: 'parameter' });
  });
  for (const name of ['weight', 'bias', 'running_mean', 'running_var'])
    weights.delete(String(argument(norm, name).value));
  weights.delete(String(argument(norm, 'running_mean').value).replace(/running_mean$/, 'num_batches_tracked'));
  const inputs = layer.inputs.map((input) =>
    input.name === 'bias' ? { name: 'bias', value: value(biasName) } : input,
  );
  return { ...layer, inputs, outputs: norm.outputs };
}

const biasBeside = (weight: string): string => `${weight.replace(/(^|\.)[^.]*$/, '$1')}bias`;

/** Returns the factor and the summand of a normalization for each channel, in float64. */
export function scaleAndShift(norm: GraphNode, weights: ReadonlyMap<string, Weight>): { scale: Tensor; shift: Tensor } {
  const held = (name: string): Tensor | undefined =>
    weights
      .get(String(argument(norm, name).value))
      ?.tensor.detach()
      .to('float64');
  return noGrad(() => {
    const mean = held('running_mean') as Tensor;
    const deviation = (held('running_var') as Tensor).add(argument(norm, 'eps').value as number).sqrt();
    const scale = (held('weight') ?? torch.onesLike(mean)).div(deviation);
    return { scale, shift: (held('bias') ?? torch.zerosLike(mean)).sub(mean.mul(scale)) };
  });
}

/** Replaces the remaining normalizations by a multiplication and an addition, with factors computed in float64. */
export function withPlainNorms(graph: Graph): Graph {
  const weights = new Map(graph.weights);
  const values = new Map(graph.values);
  const nodes = graph.nodes.flatMap((node) => {
    if (!isEvaluated(node)) return [node];
    const info = graph.values.get(resultOf(node));
    if (!info) return [node];
    const { scale, shift } = scaleAndShift(node, weights);
    const name = resultOf(node);
    const shape = info.shape.map((_, i) => (i === 1 ? -1 : 1)).slice(1);
    for (const [suffix, tensor] of Object.entries({ scale, shift }))
      weights.set(`${name}_${suffix}`, { tensor: tensor.reshape(shape).to('float32'), kind: 'constant' });
    values.set(`${name}_scaled`, info);
    const place = { scope: node.scope, source: node.source, overload: 'Tensor' };
    const input = argument(node, 'input');
    return [
      call('aten::mul', { self: input, other: value(`${name}_scale`) }, `${name}_scaled`, place),
      call(
        'aten::add',
        { self: value(`${name}_scaled`), other: value(`${name}_shift`), alpha: { kind: 'int', value: 1 } },
        name,
        place,
      ),
    ];
  });
  return { ...graph, nodes, weights, values };
}
