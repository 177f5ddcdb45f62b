/** Tensors without plain memory as text, in PyTorch's forms: sparse, quantized, meta, mkldnn and nested ones. */
import { autogradSuffixes, elementsOf, format } from './format.js';
import type { Tensor } from './tensor.js';

const prefix = 'tensor(';
const lineWidth = 80;
const usual = ['float32', 'int64', 'bool', 'complex64'];

/** `tensor(indices=tensor([[0, 1]]), values=tensor([1., 2.]), size=[3], nnz=2, layout=sparse_coo)` */
export function formatSpecial(tensor: Tensor): string {
  const { layout, dtype, device, shape } = tensor;
  const plainTensor = tensor.detach();
  const sparse = layout.startsWith('sparse');
  const quantized = dtype.startsWith('q');
  const meta = device === 'meta';
  const suffixes: string[] = [];
  if (device !== 'cpu') suffixes.push(`device='${device}'`);
  if (sparse || quantized || meta) suffixes.push(`size=[${shape.join(', ')}]`);
  if (sparse && !meta) suffixes.push(`nnz=${plainTensor._nnz()}`);
  if (meta ? dtype !== 'float32' : !usual.includes(dtype)) suffixes.push(`dtype=${dtype}`);
  if (quantized && !meta) suffixes.push(...quantization(plainTensor));
  if (layout !== 'strided') suffixes.push(`layout=${layout}`);
  suffixes.push(...autogradSuffixes(tensor));
  return withSuffixes(prefix + body(plainTensor), suffixes, layout === 'sparse_coo');
}

function body(tensor: Tensor): string {
  if (tensor.device === 'meta') return '...';
  if (tensor.dtype.startsWith('q')) return elementsOf(tensor.dequantize(), prefix.length);
  if (tensor.layout === '_mkldnn') return elementsOf(tensor.toDense(), prefix.length);
  const parts = partsOf(tensor).map(([name, part]) => {
    const start = `${name}=tensor(`;
    const size = part.numel() === 0 ? `, size=[${part.shape.join(', ')}]` : '';
    return `${start}${elementsOf(part.detach(), prefix.length + start.length)}${size})`;
  });
  return parts.join(`,\n${' '.repeat(prefix.length)}`);
}

/** The tensors that a sparse tensor consists of, with their names. */
function partsOf(tensor: Tensor): [string, Tensor][] {
  switch (tensor.layout) {
    case 'sparse_coo':
      return [
        ['indices', tensor._indices()],
        ['values', tensor._values()],
      ];
    case 'sparse_csr':
    case 'sparse_bsr':
      return [
        ['crowIndices', tensor.crowIndices()],
        ['colIndices', tensor.colIndices()],
        ['values', tensor.values()],
      ];
    default:
      return [
        ['ccolIndices', tensor.ccolIndices()],
        ['rowIndices', tensor.rowIndices()],
        ['values', tensor.values()],
      ];
  }
}

const schemes = [
  'per_tensor_affine',
  'per_channel_affine',
  'per_tensor_symmetric',
  'per_channel_symmetric',
  'per_channel_affine_float_qparams',
];

function quantization(tensor: Tensor): string[] {
  const scheme = schemes[Number(tensor.qscheme())] ?? 'unknown';
  const named = `quantizationScheme=${scheme}`;
  if (!scheme.startsWith('per_channel')) return [named, `scale=${tensor.qScale()}`, `zeroPoint=${tensor.qZeroPoint()}`];
  const [scales, zeroPoints] = [tensor.qPerChannelScales(), tensor.qPerChannelZeroPoints()];
  return [named, `scale=${format(scales)}`, `zeroPoint=${format(zeroPoints)}`, `axis=${tensor.qPerChannelAxis()}`];
}

/** Appends suffixes and breaks lines as PyTorch does: a suffix that does not fit starts a new line. */
function withSuffixes(text: string, suffixes: string[], newLine: boolean): string {
  let result = text;
  let length = text.length - text.lastIndexOf('\n');
  const indent = ' '.repeat(prefix.length);
  for (const [i, suffix] of suffixes.entries()) {
    if ((newLine && i === 0) || length + suffix.length + 2 > lineWidth) {
      result += `,\n${indent}${suffix}`;
      length = indent.length + suffix.length;
    } else {
      result += `, ${suffix}`;
      length += suffix.length + 2;
    }
  }
  return `${result})`;
}

/** Formats a nested tensor, one part per line. */
export function formatNested(tensor: Tensor): string {
  const parts = tensor
    .detach()
    .unbind(0)
    .map((part) => format(part).replaceAll(/^/gm, '  '));
  const suffixes = [...(usual.includes(tensor.dtype) ? [] : [`dtype=${tensor.dtype}`]), ...autogradSuffixes(tensor)];
  return `nested_${prefix}${[`[\n${parts.join(',\n')}\n]`, ...suffixes].join(', ')})`;
}
