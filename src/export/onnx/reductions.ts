import type { Call, Row, Rows } from './call.js';

/** Operators whose axes are an input since this opset, and an attribute before it. */
const axesAsInput: Record<string, number> = { ReduceSum: 13 };

/** Writes a reduction over `axes`, or over all axes if the list is empty. */
export function reduced(
  call: Call,
  opType: string,
  inputs: string[],
  axes: readonly number[],
  keepDim: boolean,
  last = false,
): string {
  const keepdims = Number(keepDim);
  const asInput = call.opset >= (axesAsInput[opType] ?? 18);
  const attributes = { keepdims, ...(!asInput && axes.length > 0 && { axes: [...axes] }) };
  const all = asInput && axes.length > 0 ? [...inputs, call.ints(...axes)] : inputs;
  if (!last) return call.op(opType, all, attributes);
  return call.done(opType, all, attributes);
}

/** Returns the dimensions of a list or of one number; an empty list means all. */
function axesOf(call: Call): number[] {
  const { kind } = call.operand('dim');
  const dims = kind === 'none' ? [] : kind === 'int' ? [call.number('dim')] : call.list('dim');
  return dims.map((dim) => (dim < 0 ? dim + call.rank('self') : dim));
}

const reduction =
  (opType: string): Row =>
  (call) => {
    const dtype = call.resultInfo.dtype;
    reduced(call, opType, [call.as('self', dtype)], axesOf(call), call.bool('keepdim'), true);
  };

/** Largest or smallest values, and their indices. */
const extreme =
  (opType: 'ReduceMax' | 'ReduceMin', arg: 'ArgMax' | 'ArgMin'): Row =>
  (call) => {
    if (call.node.overload === 'other')
      return call.done(opType === 'ReduceMax' ? 'Max' : 'Min', [call.value('self'), call.value('other')]);
    const axes = axesOf(call);
    const [values, indices] = call.node.outputs.flat();
    if (values) reduced(call, opType, [call.value('self')], axes, call.bool('keepdim'), true);
    if (indices)
      call.write(arg, [call.value('self')], [indices], {
        axis: axes[0] as number,
        keepdims: Number(call.bool('keepdim')),
      });
  };

const argument =
  (opType: 'ArgMax' | 'ArgMin'): Row =>
  (call) => {
    if (!call.has('dim')) {
      const flat = call.op('Reshape', [call.value('self'), call.ints(-1)]);
      return call.done(opType, [flat], { axis: 0, keepdims: 0 });
    }
    return call.done(opType, [call.value('self')], { axis: call.dim('dim'), keepdims: Number(call.bool('keepdim')) });
  };

/** Variance by the mean of squared differences; `correction` is subtracted from the count. */
const variance =
  (root: boolean): Row =>
  (call) => {
    const axes = axesOf(call);
    const all = axes.length > 0 ? axes : call.shape('self').map((_, i) => i);
    const count = all.reduce((product, axis) => product * call.size('self', axis), 1);
    const unbiased = call.has('unbiased') ? Number(call.bool('unbiased')) : 1;
    const correction = call.has('correction') ? call.number('correction') : unbiased;
    const x = call.value('self');
    const centered = call.op('Sub', [x, reduced(call, 'ReduceMean', [x], all, true)]);
    const sum = reduced(call, 'ReduceSum', [call.op('Mul', [centered, centered])], all, call.bool('keepdim'));
    const divided = [sum, call.scalar(count - correction)];
    if (root) return call.done('Sqrt', [call.op('Div', divided)]);
    return call.done('Div', divided);
  };

function norm(call: Call) {
  const order = call.has('ord') ? call.number('ord') : call.number('p', 2);
  const [input, axes, keep] = [call.value('self'), axesOf(call), call.bool('keepdim')];
  if (order === 2 || order === 1) {
    reduced(call, `ReduceL${order}`, [input], axes, keep, true);
    return;
  }
  const sizes = call.op('Abs', [input]);
  if (order === Number.POSITIVE_INFINITY) {
    reduced(call, 'ReduceMax', [sizes], axes, keep, true);
    return;
  }
  const sum = reduced(call, 'ReduceSum', [call.op('Pow', [sizes, call.scalar(order)])], axes, keep);
  return call.done('Pow', [sum, call.scalar(1 / order)]);
}

export const reductions: Rows = {
  'aten::mean': reduction('ReduceMean'),
  'aten::sum': reduction('ReduceSum'),
  'aten::prod': reduction('ReduceProd'),
  'aten::amax': reduction('ReduceMax'),
  'aten::amin': reduction('ReduceMin'),
  'aten::logsumexp': reduction('ReduceLogSumExp'),
  'aten::max': extreme('ReduceMax', 'ArgMax'),
  'aten::min': extreme('ReduceMin', 'ArgMin'),
  'aten::argmax': argument('ArgMax'),
  'aten::argmin': argument('ArgMin'),
  'aten::var': variance(false),
  'aten::std': variance(true),
  'aten::norm': norm,
  'aten::linalg_vector_norm': norm,
  'aten::cumsum': (call) =>
    call.done('CumSum', [call.as('self', call.resultInfo.dtype), call.scalar(call.dim('dim'), 'int64')]),
};
