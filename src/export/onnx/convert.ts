/** Converts a {@link Graph} to ONNX, operator by operator. */
import { ExportError } from '../../errors.js';
import { type Graph, placeOf } from '../graph.js';
import { activations } from './activations.js';
import { arithmetic } from './arithmetic.js';
import { Call, type Rows } from './call.js';
import { convolutions } from './convolutions.js';
import { Emitter } from './emitter.js';
import { linear } from './linear.js';
import { makers } from './makers.js';
import type { OnnxGraph } from './model.js';
import { norms } from './norms.js';
import { pads } from './pads.js';
import { pooling } from './pooling.js';
import { reductions } from './reductions.js';
import { selections } from './selections.js';
import { shapes } from './shapes.js';

/** All operators that can be converted to ONNX. A new one is a row in one of these files. */
export const rows: Rows = {
  ...activations,
  ...arithmetic,
  ...convolutions,
  ...linear,
  ...makers,
  ...norms,
  ...pads,
  ...pooling,
  ...reductions,
  ...selections,
  ...shapes,
};

/** Converts a graph. Throws ExportError, with module and line, for an operator that cannot be converted to ONNX. */
export function onnxGraph(graph: Graph, opset: number): OnnxGraph {
  const emitter = new Emitter(graph, opset);
  for (const node of graph.nodes) {
    const row = Object.hasOwn(rows, node.op) ? rows[node.op] : undefined;
    if (!row)
      throw new ExportError(
        `${node.op}${placeOf(node)} has no form in ONNX here. Compute it from other operators, or export TorchScript: --out FILE.torchscript.pt.`,
      );
    row(new Call(emitter, node));
  }
  const needed = used(emitter, graph.outputs);
  const made = new Set(needed.flatMap(({ outputs }) => outputs));
  const read = new Set(needed.flatMap(({ inputs }) => inputs));
  const [inputs, outputs] = [graph.inputs, graph.outputs].map(
    (names) => new Map([...graph.values].filter(([name]) => names.includes(name))),
  ) as [OnnxGraph['inputs'], OnnxGraph['outputs']];
  return {
    nodes: needed,
    initializers: new Map([...emitter.initializers].filter(([name]) => read.has(name))),
    inputs,
    outputs,
    values: new Map([...graph.values].filter(([name]) => made.has(name) && !outputs.has(name))),
  };
}

/** Returns the nodes whose results are used. */
function used({ nodes }: Emitter, outputs: readonly string[]) {
  const wanted = new Set(outputs);
  return nodes
    .toReversed()
    .filter((node) => {
      const needed = node.outputs.some((name) => wanted.has(name));
      if (needed) for (const name of node.inputs) wanted.add(name);
      return needed;
    })
    .toReversed();
}
