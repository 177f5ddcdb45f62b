/** Operators that create tensors. */
import type { Call, Row, Rows } from './call.js';

const filled =
  (number: number | undefined): Row =>
  (call) =>
    call.done('Expand', [number === undefined ? call.value('fill_value') : call.scalar(number), call.sizes('size')]);

const like =
  (number: number | undefined): Row =>
  (call) =>
    call.done('Expand', [
      number === undefined ? call.value('fill_value') : call.scalar(number),
      call.op('Shape', [call.value('self')]),
    ]);

function range(call: Call) {
  const given = (name: string, otherwise: number) => (call.has(name) ? call.value(name) : call.scalar(otherwise));
  return call.done('Range', [given('start', 0), call.value('end'), given('step', 1)]);
}

export const makers: Rows = {
  'aten::zeros': filled(0),
  'aten::ones': filled(1),
  'aten::full': filled(undefined),
  'aten::new_zeros': filled(0),
  'aten::new_ones': filled(1),
  'aten::new_full': filled(undefined),
  'aten::zeros_like': like(0),
  'aten::ones_like': like(1),
  'aten::full_like': like(undefined),
  'aten::arange': range,
};
