/** Fixes the batch size of a graph. */
import { argument, type Graph, type GraphNode, type Operand, resultOf, type ValueInfo } from './graph.js';

/** Returns the graph with the number of images, and everything computed from it, as constants. */
export function withFixedBatch(graph: Graph, batch: number): Graph {
  const values = new Map([...graph.values].map(([name, info]) => [name, fixedInfo(info, batch)]));
  const numbers = new Map<string, number>();
  const constant = ({ kind, value }: Operand): Operand => {
    const number = kind === 'number' ? numbers.get(value as string) : undefined;
    if (number !== undefined) return { kind: 'int', value: number };
    if (kind !== 'names') return { kind, value };
    const items = (value as (string | number | null)[]).map((item) => numbers.get(item as string) ?? item);
    const plain = items.length > 0 && items.every((item) => typeof item === 'number');
    return { kind: plain ? 'ints' : 'names', value: items };
  };
  const nodes = graph.nodes.flatMap((node): GraphNode[] => {
    const fixed = { ...node, inputs: node.inputs.map(({ name, value }) => ({ name, value: constant(value) })) };
    const number = numberOf(fixed, values);
    if (number === undefined) return [fixed];
    numbers.set(resultOf(node), number);
    return [];
  });
  return { ...graph, nodes, values };
}

function fixedInfo({ dtype, shape, multiples }: ValueInfo, batch: number): ValueInfo {
  const sizes = shape.map((size, i) => {
    const factor = size === 'batch' ? 1 : multiples?.get(i);
    return factor === undefined ? size : factor * batch;
  });
  return { dtype, shape: sizes };
}

/** Returns the number that a node of size arithmetic computes; undefined for other nodes. */
function numberOf(node: GraphNode, values: ReadonlyMap<string, ValueInfo>): number | undefined {
  const number = (name: string) => argument(node, name).value as number;
  if (node.overload !== 'int') return undefined;
  if (node.op === 'aten::mul') return number('a') * number('b');
  if (node.op === 'aten::add') return number('a') + number('b');
  if (node.op !== 'aten::size') return undefined;
  return (values.get(argument(node, 'self').value as string)?.shape[number('dim')] as number | null) ?? undefined;
}
