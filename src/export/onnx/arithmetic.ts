import type { Call, Row, Rows } from './call.js';
import { onnxType } from './model.js';

/** A function of one float tensor. */
const unary =
  (opType: string): Row =>
  (call) =>
    call.done(opType, [call.as('self', call.resultInfo.dtype)]);

/** Returns two operands cast to their common dtype. */
const pair = (call: Call, a = 'self', b = 'other'): [string, string] => {
  const dtype = call.commonType(a, b);
  return [call.as(a, dtype), call.as(b, dtype)];
};

const binary =
  (opType: string): Row =>
  (call) =>
    call.done(opType, pair(call));

/** self + alpha * other, or self - alpha * other; also for sizes. */
const sum =
  (opType: 'Add' | 'Sub', reversed = false): Row =>
  (call) => {
    if (isSizes(call)) return call.done(opType, [size(call, 'a'), size(call, 'b')]);
    const [a, b] = pair(call);
    const alpha = call.number('alpha', 1);
    const dtype = call.commonType('self', 'other');
    const scaled = (input: string) => (alpha === 1 ? input : call.op('Mul', [input, call.scalar(alpha, dtype)]));
    return call.done(opType, reversed ? [b, scaled(a)] : [a, scaled(b)]);
  };

/** Returns whether this is arithmetic on the number of images, with tensors of one element. */
const isSizes = (call: Call): boolean => call.node.overload === 'int';

function size(call: Call, name: string): string {
  const { kind, value } = call.operand(name);
  return kind === 'number' ? (value as string) : call.ints(call.number(name));
}

function divide(call: Call) {
  const mode = call.has('rounding_mode') ? call.string('rounding_mode') : '';
  const common = call.commonType('self', 'other');
  const dtype = mode === '' && !/float/.test(common) ? 'float32' : common;
  const operands = [call.as('self', dtype), call.as('other', dtype)];
  if (mode === '') return call.done('Div', operands);
  if (!/float/.test(dtype)) call.refuse('a rounded division of integers');
  const quotient = call.op('Div', operands);
  if (mode === 'floor') return call.done('Floor', [quotient]);
  return call.done('Mul', [call.op('Sign', [quotient]), call.op('Floor', [call.op('Abs', [quotient])])]);
}

function clamp(call: Call) {
  const { dtype } = call.resultInfo;
  const bound = (name: string) => (call.has(name) ? call.as(name, dtype) : '');
  const input = call.as('self', dtype);
  const [least, most] = [bound('min'), bound('max')];
  if (call.operand('min').kind !== 'name' && call.operand('max').kind !== 'name')
    return call.done('Clip', most ? [input, least, most] : [input, least]);
  const above = least ? call.op('Max', [input, least]) : input;
  return call.done(most ? 'Min' : 'Identity', most ? [above, most] : [above]);
}

function power(call: Call) {
  const names = call.operand('self').kind === 'none' ? ['base', 'exponent'] : ['self', 'exponent'];
  const dtype = call.resultInfo.dtype;
  return call.done(
    'Pow',
    names.map((name) => call.as(name, dtype)),
  );
}

/** Rounding, signs and logarithms that ONNX has no operator for. */
function log2(base: number): Row {
  return (call) =>
    call.done('Div', [call.op('Log', [call.as('self', call.resultInfo.dtype)]), call.scalar(Math.log(base))]);
}

function convert(call: Call) {
  return call.done('Cast', [call.value('self')], { to: onnxType(call.resultInfo.dtype) });
}

/** self + value * first * second, or self + value * first / second. */
const fused =
  (opType: 'Mul' | 'Div'): Row =>
  (call) => {
    const product = call.op(opType, [call.value('tensor1'), call.value('tensor2')]);
    const factor = call.number('value', 1);
    const scaled = factor === 1 ? product : call.op('Mul', [product, call.scalar(factor)]);
    return call.done('Add', [call.value('self'), scaled]);
  };

const negated =
  (opType: string): Row =>
  (call) =>
    call.done('Not', [call.op(opType, pair(call))]);

const remainder: Row = (call) => {
  const dtype = call.commonType('self', 'other');
  const [a, b] = pair(call);
  // The result has the sign of the divisor; ONNX's Mod does that only for integers.
  if (!/float/.test(dtype)) return call.done('Mod', [a, b]);
  return call.done('Sub', [a, call.op('Mul', [call.op('Floor', [call.op('Div', [a, b])]), b])]);
};

export const arithmetic: Rows = {
  'aten::add': sum('Add'),
  'aten::sub': sum('Sub'),
  'aten::rsub': sum('Sub', true),
  'aten::mul': (call) => (isSizes(call) ? call.done('Mul', [size(call, 'a'), size(call, 'b')]) : binary('Mul')(call)),
  'aten::div': divide,
  'aten::true_divide': divide,
  'aten::floor_divide': (call) => call.done('Floor', [call.op('Div', pair(call))]),
  'aten::remainder': remainder,
  'aten::fmod': (call) => call.done('Mod', pair(call), { fmod: 1 }),
  'aten::pow': power,
  'aten::square': (call) => call.done('Mul', [call.value('self'), call.value('self')]),
  'aten::maximum': binary('Max'),
  'aten::minimum': binary('Min'),
  'aten::clamp': clamp,
  'aten::clip': clamp,
  'aten::clamp_min': clamp,
  'aten::clamp_max': clamp,
  'aten::addcmul': fused('Mul'),
  'aten::addcdiv': fused('Div'),
  'aten::lerp': (call) => {
    const difference = call.op('Sub', [call.value('end'), call.value('self')]);
    return call.done('Add', [call.value('self'), call.op('Mul', [difference, call.value('weight')])]);
  },
  'aten::neg': unary('Neg'),
  'aten::abs': unary('Abs'),
  'aten::exp': unary('Exp'),
  'aten::expm1': (call) => call.done('Sub', [call.op('Exp', [call.value('self')]), call.scalar(1)]),
  'aten::log': unary('Log'),
  'aten::log1p': (call) => call.done('Log', [call.op('Add', [call.value('self'), call.scalar(1)])]),
  'aten::log2': log2(2),
  'aten::log10': log2(10),
  'aten::sqrt': unary('Sqrt'),
  'aten::rsqrt': (call) => call.done('Reciprocal', [call.op('Sqrt', [call.as('self', call.resultInfo.dtype)])]),
  'aten::reciprocal': unary('Reciprocal'),
  'aten::sin': unary('Sin'),
  'aten::cos': unary('Cos'),
  'aten::tan': unary('Tan'),
  'aten::asin': unary('Asin'),
  'aten::acos': unary('Acos'),
  'aten::atan': unary('Atan'),
  'aten::sinh': unary('Sinh'),
  'aten::cosh': unary('Cosh'),
  'aten::erf': unary('Erf'),
  'aten::sign': unary('Sign'),
  'aten::floor': unary('Floor'),
  'aten::ceil': unary('Ceil'),
  'aten::round': (call) => (call.number('decimals', 0) === 0 ? unary('Round')(call) : call.refuse('it has decimals')),
  'aten::trunc': (call) => {
    const x = call.value('self');
    return call.done('Mul', [call.op('Sign', [x]), call.op('Floor', [call.op('Abs', [x])])]);
  },
  'aten::isnan': (call) => call.done('IsNaN', [call.value('self')]),
  'aten::eq': binary('Equal'),
  'aten::ne': negated('Equal'),
  'aten::gt': binary('Greater'),
  'aten::ge': binary('GreaterOrEqual'),
  'aten::lt': binary('Less'),
  'aten::le': binary('LessOrEqual'),
  'aten::logical_and': binary('And'),
  'aten::logical_or': binary('Or'),
  'aten::logical_xor': binary('Xor'),
  'aten::logical_not': (call) => call.done('Not', [call.as('self', 'bool')]),
  'aten::bitwise_not': (call) => call.done('Not', [call.as('self', 'bool')]),
  'aten::bitwise_and': binary('And'),
  'aten::bitwise_or': binary('Or'),
  'aten::to': convert,
  'aten::_to_copy': convert,
  'aten::type_as': convert,
  'aten::float': convert,
};
