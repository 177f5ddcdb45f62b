/** Adds the fix to libtorch's errors about integer tensors, most of which come from whole JavaScript numbers. */

const fix =
  "tensor([1, 2]) is int64, because JavaScript cannot tell 1.0 from 1: make it with { dtype: 'float32' } or call .float().";

/** libtorch's messages that do not name the integer type they refuse. */
const unnamed = [
  'only floating-point and complex tensors can require a gradient',
  /only supports? floating[- ]point/,
  'Integral inputs not supported',
  'must be either float or double dtype',
  'mixed dtype (CPU)',
  'Integers to negative integer powers',
  'Integer division with addcdiv',
  'Expected self.dtype to be equal to src.dtype',
];
const named = /\b(Long|long int)\b|'(Int|Short|Byte|Char)'|CPULongType|CUDALongType/;
/** Errors in the opposite case: class numbers and indices must be integers. */
const wantsIntegers =
  /scalar types: Long|dtype to be Long|nll_loss.*scalar type Long but found|Expected dtype int32\/int64|must be long/;

/** Returns the message, with the fix added if an integer tensor is the likely cause. */
export function withIntegerHint(message: string): string {
  const silent = unnamed.some((words) => (typeof words === 'string' ? message.includes(words) : words.test(message)));
  const isAboutIntegers = silent || (named.test(message) && !wantsIntegers.test(message));
  if (!isAboutIntegers || message.includes(fix)) return message;
  return `${message}${/[.!]$/.test(message) ? '' : '.'} ${fix}`;
}
