// Every operator of the dispatcher: by its function with anything, and by each overload with values of the right kinds.
import { native } from '../../../dist/native.js';
import { parameterOf } from '../../../dist/tensor/arguments.js';
import { camelCase } from '../../../dist/tensor/names.js';
import { functionNames } from '../../../dist/tensor/ops.generated.js';
import torch, { dispatch, SrrlError, Tensor } from '../../../dist/torch.js';
import { leftOut } from '../left-out.mjs';
import { anything, shown, valueFor } from '../values.mjs';

function byName(random, trial, names) {
  const name = random.pick(names);
  const given = Array.from({ length: random.below(5) }, () => anything(random));
  trial.note(() => `torch.${name}(${given.map(shown).join(', ')})`);
  thenReading(given, () => torch[name](...given));
}

/** Makes the call, and reads every tensor that it was given: also a call that fails leaves them whole. */
function thenReading(given, call) {
  try {
    return call();
  } finally {
    for (const value of given.flat()) if (value instanceof Tensor) read(value);
  }
}

function read(tensor) {
  try {
    if (tensor.isAlive && tensor.device === 'cpu' && tensor.numel() < 1000) tensor.toTypedArray();
  } catch (error) {
    if (!(error instanceof SrrlError)) throw error;
  }
}

function byOverload(random, trial, overloads) {
  const { full, parameters } = random.pick(overloads);
  const given = parameters.map((parameter) => ({ parameter, value: valueFor(parameter, random) }));
  const positional = given.filter(({ parameter }) => !parameter.keywordOnly).map(({ value }) => value);
  const keywords = given.filter(({ parameter, value }) => parameter.keywordOnly && value !== undefined);
  const options = Object.fromEntries(keywords.map(({ parameter, value }) => [parameter.key, value]));
  trial.note(() => `dispatch('${full}', ${[...positional, options].map(shown).join(', ')})`);
  const result = thenReading([...positional, options.out], () => dispatch(full, ...positional, options));
  differentiate(random, trial, result);
}

/** The backward pass of what a call has made. */
function differentiate(random, trial, result) {
  const [first] = [result].flat();
  if (!first?.requiresGrad || !random.once(2)) return;
  trial.note(() => '.sum().backward()');
  first.sum().backward();
}

export default {
  unit: 'calls',
  setup() {
    // Some names of operators are namespaces, such as torch.random.
    const names = functionNames
      .filter((name) => !leftOut(name))
      .map(camelCase)
      .filter((name) => typeof torch[name] === 'function');
    const overloads = native()
      .operatorNames()
      .filter((full) => full.startsWith('aten::') || full.startsWith('srrl::'))
      .sort()
      .flatMap((full) => {
        const [, name = '', overload = ''] = full.match(/^([^.]+)\.?(.*)$/) ?? [];
        if (leftOut(name.split('::')[1]) || leftOut(overload)) return [];
        const parameters = native().schema(native().resolve(name, overload)).arguments.map(parameterOf);
        return parameters.some(({ kind }) => kind === 'unsupported') ? [] : [{ full, parameters }];
      });
    return (random, trial) => {
      trial.count(1);
      torch.scope(() => (random.once(2) ? byName(random, trial, names) : byOverload(random, trial, overloads)));
    };
  },
};
