/** Converts a network to half precision. */

import { dtypeCode } from '../tensor/dtype.js';
import { isFloatingPoint, noGrad } from '../tensor/index.js';
import { folded, withPlainNorms } from './fold.js';
import { bool, call, type Graph, int, none, renamed, value } from './graph.js';

/**
 * Returns the graph with weights and arithmetic in float16. Images and logits stay float32: the first and the last node
 * cast them. Normalizations are folded or replaced by factors computed in float64, because float16 cannot represent
 * small variances.
 */
export function halved(graph: Graph): Graph {
  const plain = withPlainNorms(folded(graph));
  const [input = '', output = ''] = [plain.inputs[0], plain.outputs[0]];
  const names = new Map([[input, 'images_float16']]);
  const weights = new Map(
    [...plain.weights].map(([name, weight]) => {
      const tensor = noGrad(() => weight.tensor.detach());
      return [name, { ...weight, tensor: isFloatingPoint(tensor.dtype) ? tensor.to('float16') : tensor }];
    }),
  );
  const inner = `${output}_float16`;
  const nodes = plain.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((argument) => ({
      ...argument,
      value: inHalf(renamed(argument.value, names), argument.name),
    })),
    outputs: node.outputs.map((name) => (name === output ? inner : name)),
  }));
  const values = new Map(plain.values);
  const narrow = (name: string, as: string) => {
    const info = values.get(name);
    if (info) values.set(as, isFloatingPoint(info.dtype) ? { ...info, dtype: 'float16' } : info);
  };
  for (const name of plain.values.keys()) if (name !== input && name !== output) narrow(name, name);
  narrow(input, 'images_float16');
  narrow(output, inner);
  return {
    ...plain,
    weights,
    values,
    nodes: [cast(input, 'images_float16', 'float16'), ...nodes, cast(inner, output, 'float32')],
  };
}

/** Replaces float32 by float16 in the dtype arguments of casts and of operators that create tensors. */
function inHalf(operand: { kind: string; value: unknown }, name: string) {
  const isSingle = name === 'dtype' && operand.kind === 'int' && operand.value === dtypeCode('float32');
  return (isSingle ? int(dtypeCode('float16')) : operand) as ReturnType<typeof int>;
}

export const cast = (from: string, to: string, dtype: 'float16' | 'float32') =>
  call(
    'aten::to',
    {
      self: value(from),
      dtype: int(dtypeCode(dtype)),
      non_blocking: bool(false),
      copy: bool(false),
      memory_format: none,
    },
    to,
    { overload: 'dtype' },
  );
