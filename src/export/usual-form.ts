/** Normalizes nodes to the form that the other files expect. */
import { argument, type Graph, type GraphNode, type Operand, renamed, resultOf } from './graph.js';

/** Operators to remove: dropout does nothing in evaluation mode, and the others only affect memory. */
const nothing = new Set([
  'aten::dropout',
  'aten::feature_dropout',
  'aten::alpha_dropout',
  'aten::feature_alpha_dropout',
  'aten::detach',
  'aten::contiguous',
  'aten::alias',
  'aten::lift_fresh',
]);

/**
 * Removes dropout, replaces the tracer's `_convolution` by the convolution that the model called, and names the result
 * `logits`, unless it is an input.
 */
export function inUsualForm(graph: Graph): Graph {
  const names = new Map<string, string>();
  const nodes = graph.nodes.flatMap((node) => {
    const inputs = node.inputs.map(({ name, value }) => ({ name, value: renamed(value, names) }));
    if (nothing.has(node.op) && inputs[0]?.value.kind === 'name') {
      names.set(resultOf(node), inputs[0].value.value as string);
      return [];
    }
    return convolution({ ...node, inputs });
  });
  return withOutput({ ...graph, nodes, outputs: graph.outputs.map((name) => names.get(name) ?? name) }, 'logits');
}

/** Returns the graph with its result under another name. */
export function withOutput(graph: Graph, name: string): Graph {
  const [old = ''] = graph.outputs;
  const info = graph.values.get(old);
  if (!info || graph.inputs.includes(old) || graph.weights.has(name) || graph.values.has(name)) return graph;
  const names = new Map([[old, name]]);
  const outputs = (node: GraphNode) =>
    node.outputs.map((result) =>
      Array.isArray(result) ? result.map((item) => (item === old ? name : item)) : result === old ? name : result,
    );
  const inputs = (node: GraphNode) => node.inputs.map((input) => ({ ...input, value: renamed(input.value, names) }));
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: inputs(node), outputs: outputs(node) }));
  const values = new Map([...graph.values].map(([key, value]) => [key === old ? name : key, value]));
  return { ...graph, nodes, values, outputs: [name] };
}

const plainOrder = ['input', 'weight', 'bias', 'stride', 'padding', 'dilation', 'groups'];
const transposedOrder = ['input', 'weight', 'bias', 'stride', 'padding', 'output_padding', 'groups', 'dilation'];

function convolution(node: GraphNode): GraphNode {
  // Padding is a word, such as 'same'.
  if (node.op === 'aten::_convolution_mode') {
    const dimensions = (argument(node, 'stride').value as number[]).length;
    return { ...node, op: `aten::conv${dimensions}d`, overload: 'padding' };
  }
  if (node.op !== 'aten::_convolution') return node;
  const dimensions = (argument(node, 'stride').value as number[]).length;
  const transposed = argument(node, 'transposed').value === true;
  const named = (name: string): { name: string; value: Operand } => ({ name, value: argument(node, name) });
  return {
    ...node,
    op: transposed ? `aten::conv_transpose${dimensions}d` : `aten::conv${dimensions}d`,
    overload: transposed && dimensions > 1 ? 'input' : '',
    inputs: (transposed ? transposedOrder : plainOrder).map(named),
  };
}
