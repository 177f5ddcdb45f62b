/**
 * A {@link Graph} as the program of a `.pt2` file, as torch/_export/serde/schema.py (version 8.20, of PyTorch 2.13)
 * defines it.
 */
import { ExportError, messageOf } from '../../errors.js';
import { native } from '../../native.js';
import type { Schema } from '../../native-types.js';
import { argument, type Dim, type Graph, type GraphNode, placeOf, resultOf, type ValueInfo } from '../graph.js';
import { dtypeNumber, strided, type Union, union } from './arguments.js';
import { Names } from './names.js';

/** The symbol that stands for the number of images. */
const symbol = 's0';
const symbolic = `Symbol('${symbol}', positive=True, integer=True)`;
/** The number of images of the example call; not 0 or 1, which PyTorch treats specially. */
export const exampleBatch = 2;

/** The schema version that is written. */
const version = { major: 8, minor: 20 };

/** Arithmetic on sizes, by operator and overload. */
const arithmetic: Record<string, string> = { 'aten::mul.int': '_operator.mul', 'aten::add.int': '_operator.add' };

/** factor * images + offset */
type Affine = readonly [factor: number, offset: number];

/** Returns the content of models/model.json. Throws ExportError if the format cannot express an operator. */
export function programOf(graph: Graph): object {
  const names = new Names(graph);
  const numbers = new Map<string, Affine>();
  const nodes = graph.nodes.map((node) => {
    try {
      return isNumber(node) ? numberNode(node, graph, names, numbers) : tensorNode(node, graph, names);
    } catch (error) {
      throw refused(node, error);
    }
  });
  const outputs = graph.outputs.map((name) => ({ as_tensor: { name: names.of(name) } }));
  const isFree = [...graph.values.values()].some(({ shape }) => shape.includes('batch'));
  return {
    graph_module: {
      graph: {
        inputs: names.inputs.map(({ name }) => ({ as_tensor: { name } })),
        outputs,
        nodes,
        tensor_values: tensorValues(graph, names),
        sym_int_values: Object.fromEntries([...numbers].map(([name, number]) => [names.of(name), size(number)])),
        sym_bool_values: {},
        is_single_tensor_return: false,
        custom_obj_values: {},
        sym_float_values: {},
      },
      signature: {
        input_specs: names.inputs.map(({ spec }) => spec),
        output_specs: outputs.map((arg) => ({ user_output: { arg } })),
      },
      module_call_graph: moduleCalls(graph, names),
      metadata: {},
      treespec_namedtuple_fields: {},
    },
    opset_version: { aten: 10 },
    range_constraints: isFree ? { [symbol]: { min_val: 1, max_val: null } } : {},
    schema_version: version,
    verifiers: ['TRAINING'],
    torch_version: native().libtorchVersion,
    guards_code: [],
  };
}

const refused = (node: GraphNode, error: unknown): ExportError =>
  new ExportError(`${node.op}${placeOf(node)} cannot be written as .pt2: ${messageOf(error)}.`, { cause: error });

const isNumber = ({ op, overload }: GraphNode): boolean =>
  op === 'aten::size' || Object.hasOwn(arithmetic, `${op}.${overload}`);

function numberNode(node: GraphNode, graph: Graph, names: Names, numbers: Map<string, Affine>): object {
  const result = resultOf(node);
  numbers.set(result, affineOf(node, graph, numbers));
  const inputs = node.inputs.map(({ name, value }) => input(name, union(value, 'int', names.of)));
  const target = arithmetic[`${node.op}.${node.overload}`] ?? 'torch.ops.aten.sym_size.int';
  return written(node, names.of(result), {
    target,
    inputs,
    outputs: [{ as_sym_int: { as_name: names.of(result) } }],
    graph,
  });
}

function affineOf(node: GraphNode, graph: Graph, numbers: ReadonlyMap<string, Affine>): Affine {
  const operand = (name: string): Affine => {
    const { kind, value } = argument(node, name);
    return kind === 'int' ? [0, value as number] : (numbers.get(value as string) as Affine);
  };
  if (node.op === 'aten::size') {
    const info = graph.values.get(argument(node, 'self').value as string) as ValueInfo;
    return sizesOf(info)[argument(node, 'dim').value as number] as Affine;
  }
  const [[a, b], [c, d]] = [operand('a'), operand('b')];
  if (node.op === 'aten::mul' && a * c !== 0) throw new Error('it squares the number of images');
  return node.op === 'aten::add' ? [a + c, b + d] : [a * d + c * b, b * d];
}

function tensorNode(node: GraphNode, graph: Graph, names: Names): object {
  const schema = schemaOf(node);
  const inputs = node.inputs.flatMap(({ name, value }) => {
    const argument = schema.arguments.find((argument) => argument.name === name);
    if (!argument) throw new Error(`it has no argument '${name}'`);
    if (argument.keywordOnly && value.kind === 'none' && argument.hasDefault) return [];
    return [input(name, union(value, argument.type, names.of), argument.keywordOnly)];
  });
  const [, name = ''] = node.op.split('::');
  const outputs = node.outputs.map((output, i): Union => {
    if (typeof output === 'string') return { as_tensor: { name: names.of(output) } };
    if (output === null) return { as_none: true };
    return {
      as_tensors: output.map((item, k) => ({ name: item === null ? names.unused(node, i, k) : names.of(item) })),
    };
  });
  const single = node.outputs.length === 1 && typeof node.outputs[0] === 'string';
  return written(node, single ? names.of(resultOf(node)) : names.fresh(`${name}_results`), {
    target: `torch.ops.aten.${name}.${node.overload || 'default'}`,
    inputs,
    outputs,
    graph,
  });
}

function schemaOf({ op, overload }: GraphNode): Schema {
  if (!op.startsWith('aten::'))
    throw new Error("it is none of PyTorch's own (aten) operators, which Python would not know");
  const schema = native().schema(native().resolve(op, overload));
  if (schema.arguments.some(({ written }) => written))
    throw new Error('it writes into a tensor in place, which an exported program does not');
  return schema;
}

const kinds = { positional: 1, keyword: 2 };

const input = (name: string, arg: Union, keyword = false): object => ({
  name,
  arg,
  kind: keyword ? kinds.keyword : kinds.positional,
});

interface Call {
  target: string;
  inputs: object[];
  outputs: Union[];
  graph: Graph;
}

function written(node: GraphNode, name: string, { target, inputs, outputs, graph }: Call): object {
  const [, file, line] = node.source.match(/^(.*):(\d+)$/) ?? [];
  const metadata = {
    nn_module_stack: moduleStack(node.scope, graph),
    stack_trace: file === undefined ? undefined : `  File "${file}", line ${line}, in forward`,
  };
  return { target, name, inputs, outputs, metadata, is_hop_single_tensor_return: null };
}

/** Returns the modules around a call, from the outermost to the innermost: `key,path,type` each. */
function moduleStack(scope: string, { modules }: Graph): string {
  const parts = scope === '' ? [] : scope.split('.');
  const paths = ['', ...parts.map((_, i) => parts.slice(0, i + 1).join('.'))];
  return paths
    .flatMap((path) => {
      const type = modules.find((module) => module.path === path)?.type;
      return type === undefined ? [] : [`L__self__${path.replaceAll('.', '_')},${path},srrl.${type}`];
    })
    .join(';');
}

/** Returns shapes and dtypes of all tensors. */
function tensorValues(graph: Graph, names: Names): Record<string, object> {
  const described: Record<string, object> = {};
  for (const [name, { tensor, kind }] of graph.weights)
    described[names.of(name)] = tensorMeta(tensor, kind === 'parameter');
  for (const [name, info] of graph.values) {
    const made = graph.nodes.find(({ outputs }) => outputs.flat().includes(name));
    if (made || graph.inputs.includes(name)) described[names.of(name)] = resultMeta(info, made);
  }
  // Shapes of unused tensors are unknown, so they get those of another tensor of their list.
  for (const [name, sibling] of names.unusedItems)
    described[name] = tensorMeta(graph.values.get(sibling) ?? { shape: [], dtype: 'float32' });
  return described;
}

function resultMeta(info: ValueInfo, node: GraphNode | undefined): object {
  try {
    return tensorMeta(info);
  } catch (error) {
    throw node ? refused(node, error) : error;
  }
}

/** Returns dtype, sizes and strides of a contiguous tensor. */
export function tensorMeta(info: ValueInfo, requiresGrad = false): object {
  const sizes = sizesOf(info);
  let stride: Affine = [0, 1];
  const strides: Affine[] = [];
  for (const [factor, offset] of [...sizes].reverse()) {
    strides.unshift(stride);
    stride = [stride[0] * offset + stride[1] * factor, stride[1] * offset];
  }
  return {
    dtype: dtypeNumber(info.dtype),
    sizes: sizes.map(size),
    requires_grad: requiresGrad,
    device: { type: 'cpu', index: null },
    strides: strides.map(size),
    storage_offset: { as_int: 0 },
    layout: strided,
  };
}

function sizesOf({ shape, multiples }: ValueInfo): Affine[] {
  return shape.map((size: Dim, i): Affine => {
    if (typeof size === 'number') return [0, size];
    const factor = size === 'batch' ? 1 : multiples?.get(i);
    if (factor === undefined) throw new Error('a size of its result is not a multiple of the number of images');
    return [factor, 0];
  });
}

/** Returns a size: a number, or a sympy expression of the number of images. */
function size([factor, offset]: Affine): object {
  if (factor === 0) return { as_int: offset };
  const product = factor === 1 ? symbolic : `Mul(Integer(${factor}), ${symbolic})`;
  const expression = offset === 0 ? product : `Add(${product}, Integer(${offset}))`;
  return { as_expr: { expr_str: expression, hint: { as_int: factor * exampleBatch + offset } } };
}

/** Returns the inputs and outputs of the program as trees of Python containers, and its modules. */
function moduleCalls({ modules }: Graph, names: Names): object[] {
  const leaf = { type: null, context: null, children_spec: [] };
  const tuple = (children: object[]) => ({ type: 'builtins.tuple', context: 'null', children_spec: children });
  const keywords = { type: 'builtins.dict', context: '[]', children_spec: [] };
  const signature = {
    inputs: [],
    outputs: [],
    in_spec: JSON.stringify([1, tuple([tuple([leaf]), keywords])]),
    out_spec: JSON.stringify([1, leaf]),
    forward_arg_names: [names.of('images')],
  };
  return modules.map(({ path }) => ({ fqn: path, signature: path === '' ? signature : null }));
}
