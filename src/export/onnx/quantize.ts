/**
 * Static quantization in QDQ format: weights symmetric int8 per channel, activations asymmetric uint8 per tensor.
 * Runtimes compute a convolution between a DequantizeLinear and a QuantizeLinear in integers.
 */
import type { OnnxGraph, OnnxNode } from './model.js';
import { rawProto } from './model.js';
import { TensorProto_DataType as DataType, type TensorProto } from './schema.generated.js';

/** The smallest and largest number of each quantized value. */
export type Ranges = ReadonlyMap<string, readonly [number, number]>;

/** Operators with weights that run in integers. The first dimension of their weight is the output's. */
const layers = new Set(['Conv', 'Gemm']);
/** Operators that only pass on, combine or pool the results of layers. */
const between = new Set(['Add', 'Concat', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'ReduceMean', 'Mul']);
/** Operators that a runtime merges with the layer before them. */
const merged = new Set(['Relu', 'Clip']);

/** Returns the values to quantize, whose ranges must be measured. */
export function quantizedValues(graph: OnnxGraph): string[] {
  const readers = readersOf(graph);
  const names = new Set<string>();
  for (const node of graph.nodes) {
    const isLayer = layers.has(node.opType) && graph.initializers.has(node.inputs[1] ?? '');
    if (!isLayer && !between.has(node.opType)) continue;
    for (const name of isLayer ? node.inputs.slice(0, 1) : node.inputs) names.add(name);
    for (const name of node.outputs) {
      const [reader, ...others] = readers.get(name) ?? [];
      names.add(reader && others.length === 0 && merged.has(reader.opType) ? (reader.outputs[0] as string) : name);
    }
  }
  const isFloat = (name: string) => (graph.values.get(name) ?? graph.inputs.get(name))?.dtype === 'float32';
  return [...names].filter((name) => isFloat(name) && !graph.initializers.has(name) && !graph.outputs.has(name));
}

function readersOf(graph: OnnxGraph): Map<string, OnnxNode[]> {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes)
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  return readers;
}

/** Returns the network with every value in `ranges` rounded to 8 bits, and the weights of its layers as int8. */
export function quantized(graph: OnnxGraph, ranges: Ranges): OnnxGraph {
  const initializers = new Map(graph.initializers);
  const nodes: OnnxNode[] = [];
  const names = new Map<string, string>();
  const scales = new Map<string, number>();
  const weights = new Set<string>();
  const round = (name: string) => {
    const range = ranges.get(name);
    if (!range) return;
    const { scale, zero } = asymmetric(range);
    scales.set(name, scale);
    initializers.set(`${name}/scale`, rawProto(`${name}/scale`, DataType.FLOAT, Float32Array.of(scale), []));
    initializers.set(`${name}/zero`, rawProto(`${name}/zero`, DataType.UINT8, Uint8Array.of(zero), []));
    const parameters = [`${name}/scale`, `${name}/zero`];
    nodes.push(made('QuantizeLinear', [name, ...parameters], `${name}/quantized`));
    nodes.push(made('DequantizeLinear', [`${name}/quantized`, ...parameters], `${name}/rounded`));
    names.set(name, `${name}/rounded`);
  };
  for (const name of graph.inputs.keys()) round(name);
  for (const node of graph.nodes) {
    const [input = '', weight = '', bias = ''] = node.inputs;
    const held = layers.has(node.opType) ? graph.initializers.get(weight) : undefined;
    const scale = scales.get(input);
    if (held && scale !== undefined && !weights.has(weight)) {
      weights.add(weight);
      quantizeWeights({ held, bias: graph.initializers.get(bias), inputScale: scale }, initializers, nodes);
    }
    nodes.push({ ...node, inputs: node.inputs.map((name) => names.get(name) ?? name) });
    for (const output of node.outputs) round(output);
  }
  return { ...graph, nodes, initializers };
}

function asymmetric([low, high]: readonly [number, number]): { scale: number; zero: number } {
  // Zero must be exact, because padding consists of zeros.
  const [least, most] = [Math.min(0, low), Math.max(0, high)];
  const scale = Math.fround((most - least) / 255) || 1;
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-least / scale))) };
}

const made = (opType: string, inputs: string[], output: string, attributes = {}): OnnxNode => ({
  opType,
  inputs,
  outputs: [output],
  attributes,
  name: `${output}/${opType}`,
  doc: '',
});

interface Layer {
  held: TensorProto;
  bias: TensorProto | undefined;
  inputScale: number;
}

const floatsOf = ({ rawData }: TensorProto): Float32Array => new Float32Array(rawData.slice().buffer);

/** Quantizes weights to int8 per channel, and the bias to int32 with the scale of the products. */
function quantizeWeights({ held, bias, inputScale }: Layer, initializers: Map<string, TensorProto>, nodes: OnnxNode[]) {
  const { name } = held;
  const dims = held.dims.map(Number);
  const channels = dims[0] as number;
  const numbers = floatsOf(held);
  const width = numbers.length / channels;
  const scales = new Float32Array(channels);
  const rounded = new Int8Array(numbers.length);
  for (let c = 0; c < channels; c++) {
    const row = numbers.subarray(c * width, (c + 1) * width);
    const largest = row.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
    scales[c] = largest / 127 || 1;
    for (let i = 0; i < width; i++) rounded[c * width + i] = Math.round((row[i] as number) / (scales[c] as number));
  }
  const put = (suffix: string, type: DataType, data: ArrayBufferView, shape: number[], of = name) => {
    initializers.set(`${of}/${suffix}`, rawProto(`${of}/${suffix}`, type, data, shape));
    return `${of}/${suffix}`;
  };
  const inputs = [
    put('int8', DataType.INT8, rounded, dims),
    put('scale', DataType.FLOAT, scales, [channels]),
    put('zero', DataType.INT8, new Int8Array(channels), [channels]),
  ];
  initializers.delete(name);
  nodes.push(made('DequantizeLinear', inputs, name, { axis: 0 }));
  if (!bias || !initializers.has(bias.name)) return;
  const products = scales.map((scale) => scale * inputScale);
  const limit = 2 ** 31 - 1;
  const offsets = Int32Array.from(floatsOf(bias), (number, c) =>
    Math.max(-limit, Math.min(limit, Math.round(number / (products[c] as number)))),
  );
  const biasInputs = [
    put('int32', DataType.INT32, offsets, [channels], bias.name),
    put('scale', DataType.FLOAT, products, [channels], bias.name),
    put('zero', DataType.INT32, new Int32Array(channels), [channels], bias.name),
  ];
  initializers.delete(bias.name);
  nodes.push(made('DequantizeLinear', biasInputs, bias.name, { axis: 0 }));
}
