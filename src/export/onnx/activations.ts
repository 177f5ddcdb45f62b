import { type Call, float, type Row, type Rows } from './call.js';

const plain =
  (opType: string): Row =>
  (call) =>
    call.done(opType, [call.value('self')]);

const clipped =
  (least: number, most: number): Row =>
  (call) =>
    call.done('Clip', [call.value('self'), call.scalar(least), call.scalar(most)]);

/** log(1 + exp(x)), without overflow for large x. */
function softplus(call: Call) {
  const beta = call.number('beta', 1);
  const input = call.value('self');
  const scaled = beta === 1 ? input : call.op('Mul', [input, call.scalar(beta)]);
  const soft = call.op('Softplus', [scaled]);
  const result = beta === 1 ? soft : call.op('Div', [soft, call.scalar(beta)]);
  return call.done('Where', [call.op('Greater', [scaled, call.scalar(call.number('threshold', 20))]), input, result]);
}

function gelu(call: Call) {
  const x = call.value('self');
  const approximate = call.string('approximate');
  if (call.opset >= 20) return call.done('Gelu', [x], { approximate });
  const half = call.op('Mul', [x, call.scalar(0.5)]);
  if (approximate === 'tanh') {
    const cubed = call.op('Mul', [call.op('Mul', [call.op('Mul', [x, x]), x]), call.scalar(0.044715)]);
    const inner = call.op('Mul', [call.op('Add', [x, cubed]), call.scalar(Math.sqrt(2 / Math.PI))]);
    return call.done('Mul', [half, call.op('Add', [call.op('Tanh', [inner]), call.scalar(1)])]);
  }
  const erf = call.op('Erf', [call.op('Div', [x, call.scalar(Math.SQRT2)])]);
  return call.done('Mul', [half, call.op('Add', [erf, call.scalar(1)])]);
}

function prelu(call: Call) {
  const dimensions = call.rank('self') - 2;
  const weight = call.value('weight');
  const slope =
    dimensions > 0 ? call.op('Reshape', [weight, call.ints(-1, ...new Array<number>(dimensions).fill(1))]) : weight;
  return call.done('PRelu', [call.value('self'), slope]);
}

function softmax(opType: 'Softmax' | 'LogSoftmax'): Row {
  return (call) => call.done(opType, [call.as('self', call.resultInfo.dtype)], { axis: call.dim('dim') });
}

/** x if it is above `threshold`, else `value`. */
function threshold(call: Call) {
  const x = call.value('self');
  return call.done('Where', [call.op('Greater', [x, call.value('threshold')]), x, call.value('value')]);
}

function glu(call: Call) {
  const axis = call.dim('dim');
  const size = call.size('self', axis) / 2;
  const halves = [call.emitter.fresh(`${call.result}/first`), call.emitter.fresh(`${call.result}/second`)] as const;
  call.write('Split', [call.value('self'), call.ints(size, size)], [...halves], { axis });
  return call.done('Mul', [halves[0], call.op('Sigmoid', [halves[1]])]);
}

export const activations: Rows = {
  'aten::relu': plain('Relu'),
  'aten::sigmoid': plain('Sigmoid'),
  'aten::tanh': plain('Tanh'),
  'aten::relu6': clipped(0, 6),
  'aten::hardtanh': (call) => clipped(call.number('min_val', -1), call.number('max_val', 1))(call),
  'aten::hardswish': plain('HardSwish'),
  'aten::hardsigmoid': (call) =>
    call.done('HardSigmoid', [call.value('self')], { alpha: float(1 / 6), beta: float(0.5) }),
  'aten::silu': (call) => call.done('Mul', [call.value('self'), call.op('Sigmoid', [call.value('self')])]),
  'aten::mish': (call) =>
    call.done('Mul', [call.value('self'), call.op('Tanh', [call.op('Softplus', [call.value('self')])])]),
  'aten::gelu': gelu,
  'aten::leaky_relu': (call) =>
    call.done('LeakyRelu', [call.value('self')], { alpha: float(call.number('negative_slope', 0.01)) }),
  // In evaluation mode the slope is the mean of its range.
  'aten::rrelu': (call) =>
    call.done('LeakyRelu', [call.value('self')], { alpha: float((call.number('lower') + call.number('upper')) / 2) }),
  'aten::elu': (call) => {
    if (call.number('scale', 1) !== 1 || call.number('input_scale', 1) !== 1) call.refuse('it has a scale');
    return call.done('Elu', [call.value('self')], { alpha: float(call.number('alpha', 1)) });
  },
  'aten::selu': plain('Selu'),
  'aten::celu': (call) => call.done('Celu', [call.value('self')], { alpha: float(call.number('alpha', 1)) }),
  'aten::softplus': softplus,
  'aten::log_sigmoid': (call) => call.done('Neg', [call.op('Softplus', [call.op('Neg', [call.value('self')])])]),
  'aten::prelu': prelu,
  'aten::threshold': threshold,
  'aten::hardshrink': (call) =>
    call.done('Shrink', [call.value('self')], { lambd: float(call.number('lambd')), bias: float(0) }),
  'aten::softshrink': (call) => {
    const lambd = float(call.number('lambd'));
    return call.done('Shrink', [call.value('self')], { lambd, bias: lambd });
  },
  'aten::glu': glu,
  'aten::softmax': softmax('Softmax'),
  'aten::_softmax': softmax('Softmax'),
  'aten::log_softmax': softmax('LogSoftmax'),
  'aten::_log_softmax': softmax('LogSoftmax'),
};
