import { type Call, float, type Row, type Rows } from './call.js';

function linearRow(call: Call) {
  const [input, weight] = [call.value('input'), call.value('weight')];
  const bias = call.has('bias') ? [call.value('bias')] : [];
  if (call.rank('input') === 2) return call.done('Gemm', [input, weight, ...bias], { transB: 1 });
  const turned = call.op('Transpose', [weight], { perm: [1, 0] });
  if (bias.length === 0) return call.done('MatMul', [input, turned]);
  return call.done('Add', [call.op('MatMul', [input, turned]), ...bias]);
}

const product =
  (other: string): Row =>
  (call) =>
    call.done('MatMul', [call.value('self'), call.value(other)]);

/** beta * self + alpha * (a b). */
const added =
  (a: string, b: string): Row =>
  (call) => {
    const scaled = (value: string, factor: number) =>
      factor === 1 ? value : call.op('Mul', [value, call.scalar(factor)]);
    const multiplied = call.op('MatMul', [call.value(a), call.value(b)]);
    return call.done('Add', [
      scaled(call.value('self'), call.number('beta', 1)),
      scaled(multiplied, call.number('alpha', 1)),
    ]);
  };

/** softmax(q k^T scale + mask) v */
function attention(call: Call) {
  if (call.number('dropout_p', 0) !== 0) call.refuse('it drops attention weights');
  const rank = call.rank('query');
  const width = call.size('query', -1);
  const scale = call.has('scale') ? call.number('scale') : 1 / Math.sqrt(width);
  const swapped = Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  const keys = call.op('Transpose', [call.value('key')], { perm: swapped });
  const scores = call.op('MatMul', [call.op('Mul', [call.value('query'), call.scalar(scale)]), keys]);
  const weights = call.op('Softmax', [masked(call, scores)], { axis: rank - 1 });
  return call.done('MatMul', [weights, call.value('value')]);
}

function masked(call: Call, scores: string): string {
  const never = call.scalar(Number.NEGATIVE_INFINITY);
  if (call.bool('is_causal')) {
    const [queries, keys] = [call.size('query', -2), call.size('key', -2)];
    const ones = call.op('Expand', [call.scalar(1, 'bool'), call.ints(queries, keys)]);
    const seen = call.op('Cast', [call.op('Trilu', [call.op('Cast', [ones], { to: 1 })], { upper: 0 })], { to: 9 });
    return call.op('Where', [seen, scores, never]);
  }
  if (!call.has('attn_mask')) return scores;
  const mask = call.value('attn_mask');
  return call.info('attn_mask').dtype === 'bool'
    ? call.op('Where', [mask, scores, never])
    : call.op('Add', [scores, mask]);
}

export const linear: Rows = {
  'aten::linear': linearRow,
  'aten::matmul': product('other'),
  'aten::mm': product('mat2'),
  'aten::bmm': product('mat2'),
  'aten::mv': product('vec'),
  'aten::dot': product('tensor'),
  'aten::addmm': (call) =>
    call.done('Gemm', [call.value('mat1'), call.value('mat2'), call.value('self')], {
      alpha: float(call.number('alpha', 1)),
      beta: float(call.number('beta', 1)),
    }),
  'aten::baddbmm': added('batch1', 'batch2'),
  'aten::einsum': (call) =>
    call.done('Einsum', call.values('tensors'), { equation: call.string('equation').replace(/\s/g, '') }),
  'aten::scaled_dot_product_attention': attention,
};
