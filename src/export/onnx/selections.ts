/** Operators that split, select and join tensors. */
import type { Call, Rows } from './call.js';

/** The end index with which Slice goes to the end. */
const end = 2 ** 53;

function split(call: Call, axis: number, sizes: number[]) {
  const outputs = call.outputs;
  if (outputs.length === 1) return call.done('Identity', [call.value('self')]);
  call.write('Split', [call.value('self'), call.ints(...sizes)], outputs, { axis });
}

/** Splits into parts of size `part`, the last of which may be smaller. */
function parts(call: Call, axis: number, part: number) {
  const total = call.size('self', axis);
  const count = Math.ceil(total / part);
  split(
    call,
    axis,
    Array.from({ length: count }, (_, i) => Math.min(part, total - i * part)),
  );
}

function unbind(call: Call) {
  const axis = call.dim('dim');
  const slices = call.outputs.map((output) => call.emitter.fresh(`${output}/slice`));
  call.write('Split', [call.value('self'), call.ints(...slices.map(() => 1))], slices, { axis });
  for (const [i, output] of call.outputs.entries())
    call.write('Squeeze', [slices[i] as string, call.ints(axis)], [output], {});
}

function slice(call: Call) {
  const axis = call.dim('dim');
  const [start, stop] = [call.number('start', 0), call.number('end', end)];
  const from = [call.ints(start), call.ints(Math.min(stop, end)), call.ints(axis), call.ints(call.number('step', 1))];
  return call.done('Slice', [call.value('self'), ...from]);
}

function narrow(call: Call) {
  const [axis, start, length] = [call.dim('dim'), call.number('start'), call.number('length')];
  const from = start < 0 ? start + call.size('self', axis) : start;
  return call.done('Slice', [call.value('self'), call.ints(from), call.ints(from + length), call.ints(axis)]);
}

function stack(call: Call) {
  const dim = call.number('dim', 0);
  const axis = dim < 0 ? dim + call.resultInfo.shape.length : dim;
  const tensors = call.values('tensors').map((tensor) => call.op('Unsqueeze', [tensor, call.ints(axis)]));
  return call.done('Concat', tensors, { axis });
}

function flip(call: Call) {
  const dims = call.list('dims').map((dim) => (dim < 0 ? dim + call.rank('self') : dim));
  const all = (number: number) => call.ints(...dims.map(() => number));
  return call.done('Slice', [call.value('self'), all(-1), all(-end), call.ints(...dims), all(-1)]);
}

function roll(call: Call) {
  const dims = call.list('dims', 1);
  if (dims.length === 0) call.refuse('it has no dimensions');
  let input = call.value('self');
  for (const [i, dim] of dims.entries()) {
    const axis = dim < 0 ? dim + call.rank('self') : dim;
    const size = call.size('self', axis);
    const cut = (((size - (call.list('shifts', 1)[i] as number)) % size) + size) % size;
    const part = (from: number, to: number) =>
      call.op('Slice', [input, call.ints(from), call.ints(to), call.ints(axis)]);
    input = call.op('Concat', [part(cut, size), part(0, cut)], { axis });
  }
  return call.done('Identity', [input]);
}

function where(call: Call) {
  const { dtype } = call.resultInfo;
  return call.done('Where', [call.as('condition', 'bool'), call.as('self', dtype), call.as('other', dtype)]);
}

export const selections: Rows = {
  'aten::cat': (call) => {
    const dim = call.number('dim', 0);
    return call.done('Concat', call.values('tensors'), { axis: dim < 0 ? dim + call.resultInfo.shape.length : dim });
  },
  'aten::stack': stack,
  'aten::chunk': (call) => {
    const axis = call.dim('dim');
    return parts(call, axis, Math.ceil(call.size('self', axis) / call.number('chunks')));
  },
  'aten::split': (call) => {
    const { kind } = call.operand(call.has('split_size') ? 'split_size' : 'split_sizes');
    if (kind === 'ints')
      return split(call, call.dim('dim'), call.list(call.has('split_size') ? 'split_size' : 'split_sizes'));
    return parts(call, call.dim('dim'), call.number('split_size'));
  },
  'aten::split_with_sizes': (call) => split(call, call.dim('dim'), call.list('split_sizes')),
  'aten::unbind': unbind,
  'aten::select': (call) =>
    call.done('Gather', [call.value('self'), call.scalar(call.number('index'), 'int64')], { axis: call.dim('dim') }),
  'aten::slice': slice,
  'aten::narrow': narrow,
  'aten::index_select': (call) =>
    call.done('Gather', [call.value('self'), call.value('index')], { axis: call.dim('dim') }),
  'aten::gather': (call) =>
    call.done('GatherElements', [call.value('self'), call.value('index')], { axis: call.dim('dim') }),
  'aten::embedding': (call) => call.done('Gather', [call.value('weight'), call.value('indices')], { axis: 0 }),
  'aten::flip': flip,
  'aten::roll': roll,
  'aten::where': where,
  'aten::masked_fill': (call) => call.done('Where', [call.value('mask'), call.value('value'), call.value('self')]),
  'aten::tril': (call) =>
    call.done('Trilu', [call.value('self'), call.scalar(call.number('diagonal', 0), 'int64')], { upper: 0 }),
  'aten::triu': (call) =>
    call.done('Trilu', [call.value('self'), call.scalar(call.number('diagonal', 0), 'int64')], { upper: 1 }),
};
