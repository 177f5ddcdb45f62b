/** Builds ONNX's protobuf messages from plain values. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { ExportError } from '../../errors.js';
import { bytesOf } from '../../files/bytes.js';
import type { DType, Tensor } from '../../tensor/index.js';
import type { Dim, ValueInfo } from '../graph.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './schema.generated.js';

/** An attribute that is a float even if its value is whole. */
export interface FloatAttribute {
  float: number;
}
export type Attribute = number | string | FloatAttribute | readonly number[];

/** One node. */
export interface OnnxNode {
  opType: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
  /** The operator and its module. */
  name: string;
  doc: string;
}

/** A whole network before serialization. */
export interface OnnxGraph {
  nodes: OnnxNode[];
  initializers: Map<string, TensorProto>;
  inputs: Map<string, ValueInfo>;
  outputs: Map<string, ValueInfo>;
  values: Map<string, ValueInfo>;
}

const types: Partial<Record<DType, DataType>> = {
  float32: DataType.FLOAT,
  uint8: DataType.UINT8,
  int8: DataType.INT8,
  int16: DataType.INT16,
  int32: DataType.INT32,
  int64: DataType.INT64,
  bool: DataType.BOOL,
  float16: DataType.FLOAT16,
  float64: DataType.DOUBLE,
  bfloat16: DataType.BFLOAT16,
};

/** Returns ONNX's number of a dtype. */
export function onnxType(dtype: DType): number {
  const type = types[dtype];
  if (type === undefined) throw new ExportError(`ONNX has no tensors of ${dtype}.`);
  return type;
}

export function tensorProto(name: string, tensor: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: onnxType(tensor.dtype),
    dims: tensor.shape.map(BigInt),
    rawData: bytesOf(tensor.detach().contiguous()),
  });
}

export const int64Proto = (name: string, numbers: readonly number[], dims: readonly number[]): TensorProto =>
  rawProto(name, DataType.INT64, BigInt64Array.from(numbers, BigInt), dims);

export function rawProto(name: string, dataType: number, data: ArrayBufferView, dims: readonly number[]): TensorProto {
  const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt), rawData });
}

function attributeProto(name: string, value: Attribute): AttributeProto {
  const made = (fields: Omit<MessageInitShape<typeof AttributeProtoSchema>, '$typeName'>) =>
    create(AttributeProtoSchema, { name, ...fields });
  if (typeof value === 'number') return made({ type: Kind.INT, i: BigInt(value) });
  if (typeof value === 'string') return made({ type: Kind.STRING, s: new TextEncoder().encode(value) });
  if ('float' in value) return made({ type: Kind.FLOAT, f: value.float });
  return made({ type: Kind.INTS, ints: value.map(BigInt) });
}

function valueInfo(name: string, { shape, dtype }: ValueInfo, batch: number | 'dynamic'): ValueInfoProto {
  const dim = (size: Dim) => {
    if (typeof size === 'number') return { value: { case: 'dimValue' as const, value: BigInt(size) } };
    if (size === null) return {};
    if (batch !== 'dynamic') return { value: { case: 'dimValue' as const, value: BigInt(batch) } };
    return { value: { case: 'dimParam' as const, value: 'batch' } };
  };
  const tensorType = { elemType: onnxType(dtype), shape: { dim: shape.map(dim) } };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: tensorType } } });
}

const irVersions: Record<number, bigint> = { 17: 8n, 18: 8n, 19: 9n, 20: 9n, 21: 10n, 22: 10n };
/** Protobuf messages hold less than 2 GB. */
const mostBytes = 2 ** 31 - 2 ** 20;

export interface ModelSetup {
  opset: number;
  batch: number | 'dynamic';
  producer: string;
  metadata: Record<string, string>;
}

/** Returns the bytes of an .onnx file. Throws ExportError if they would be 2 GB or more. */
export function modelBytes(graph: OnnxGraph, { opset, batch, producer, metadata }: ModelSetup): Uint8Array {
  const bytes = [...graph.initializers.values()].reduce((sum, { rawData }) => sum + rawData.byteLength, 0);
  if (bytes > mostBytes)
    throw new ExportError(
      `The weights have ${(bytes / 1e9).toFixed(2)} GB, and an .onnx file holds less than 2 GB. Write .torchscript.pt or .safetensors instead, or halve them with --half.`,
    );
  const infos = (values: Map<string, ValueInfo>) => [...values].map(([name, info]) => valueInfo(name, info, batch));
  const model = create(ModelProtoSchema, {
    irVersion: irVersions[opset] ?? 8n,
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    producerName: 'srrl',
    producerVersion: producer,
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: 'student',
      node: graph.nodes.map(({ opType, inputs, outputs, attributes, name, doc }) => ({
        opType,
        input: inputs,
        output: outputs,
        name,
        docString: doc,
        attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
      })),
      initializer: [...graph.initializers.values()],
      input: infos(graph.inputs),
      output: infos(graph.outputs),
      valueInfo: infos(graph.values),
    },
  });
  return toBinary(ModelProtoSchema, model);
}
