/**
 * Installs the generated operators as methods of Tensor, and as functions of the object that torch.ts spreads into its
 * exports.
 */
import { camelCase } from './names.js';
import { Operator } from './operators.js';
import { functionNames, methodNames, type TorchFunctions } from './ops.generated.js';
import { Tensor } from './tensor.js';

const operators = new Map<string, Operator>();

function operatorNamed(name: string): Operator {
  let operator = operators.get(name);
  if (!operator) {
    operator = new Operator(`aten::${name}`);
    operators.set(name, operator);
  }
  return operator;
}

/** Every `aten` operator as a function, by PyTorch's name in camelCase; `options` carries keyword arguments. */
export const functions = Object.create(null) as TorchFunctions;

for (const name of functionNames) {
  const operator = operatorNamed(name);
  Object.defineProperty(functions, camelCase(name), {
    enumerable: true,
    value: (...args: unknown[]) => operator.call(args),
  });
}

for (const name of methodNames) {
  const operator = operatorNamed(name);
  Object.defineProperty(Tensor.prototype, camelCase(name), {
    configurable: true,
    writable: true,
    // The two most common calls skip the overload choice once it was made; see Operator.unary.
    value(this: Tensor, ...args: unknown[]) {
      const [other] = args;
      if (args.length === 0 && operator.unary >= 0) return operator.callUnary(this);
      if (args.length === 1 && operator.binary >= 0 && other instanceof Tensor) return operator.callBinary(this, other);
      return operator.call([this, ...args]);
    },
  });
}
