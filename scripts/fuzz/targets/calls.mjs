// What is written by hand: the functions of torch, the methods and properties of its objects, nn, optim and their
// objects' methods, called with anything.
import torch, * as all from '../../../dist/torch.js';
import { anything, oddity, shown, tensor } from '../values.mjs';

const { nn, optim, Tensor } = all;

// Write files, start as many threads as they are told, hand tensors over for good, are made by this package or by
// subclasses alone, or are protected.
const leftOut =
  /^(save|setNumThreads|sendTensor$|default$|Module$|ops$|\w+Error$|Profile$|SafetensorsFile$|check$|ready$|stepGroup$|forEach\w+$|named$|bucket$|checkGroup$|complete$|stepSome$|fused$|batched$|weights$|registerBuffer$|dimensions$|sizeFor$|remember$|kindOf$|project$|split$|join$|maskFor$|whole$|joint$|around$|attend$|feed$|with$|minimize$|nextDirection$|rememberUpdate$|gradient$|move$|synchronizes$)/;

const isClass = (value) => typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));

/** Names of a prototype chain up to `Object`, with what they are. */
function members(object) {
  const found = new Map();
  for (let at = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (!found.has(name) && name !== 'constructor') found.set(name, descriptor);
  }
  return [...found];
}

const rooms = {
  torch: Object.fromEntries(
    members(torch)
      .filter(([name]) => Object.hasOwn(torch, name))
      .map(([name]) => [name, torch[name]]),
  ),
  'torch.autograd': torch.autograd,
  '': all,
  nn,
  'nn.functional': nn.functional,
  'nn.init': nn.init,
  optim,
};

const callables = Object.entries(rooms).flatMap(([room, content]) =>
  Object.entries(content)
    .filter(([name, value]) => typeof value === 'function' && !leftOut.test(name))
    .map(([name, value]) => ({ name: room === '' ? name : `${room}.${name}`, value, room })),
);

const generated = new Set(Object.keys(Object.getPrototypeOf(torch)));
const methods = members(Tensor.prototype).filter(([name]) => !generated.has(name) && !leftOut.test(name));

/** Arguments: sizes for layers, parameters for optimizers, and anything at all. */
function argumentsFor(random, { room, value }) {
  const count = random.below(Math.min(4, value.length + 3));
  const sizes = () => random.pick([1, 2, 3, 3, 4, 0, -1, 2.5]);
  return Array.from({ length: count }, (_, i) => {
    if (room === 'nn' && random.once(2)) return sizes();
    if (room === 'optim' && i === 0 && random.once(2))
      return [torch.randn([2, 3]).requiresGrad_(), torch.randn([3]).requiresGrad_()];
    if (room === 'optim' && i === 1 && random.once(2)) return { lr: random.pick([0.1, 0, -1, Number.NaN]) };
    return anything(random);
  });
}

const settled = async (value) => (value instanceof Promise ? await value : value);

async function useObject(random, trial, object, name) {
  const own = members(object).filter(([key]) => !leftOut.test(key));
  if (own.length === 0) return;
  const input = () =>
    random.once(3)
      ? anything(random)
      : random.pick([() => tensor(random), () => torch.randn([2, 3, 4, 4]), () => torch.randn([2, 3])])();
  if (typeof object.forward === 'function' && random.once(2)) {
    const given = Array.from({ length: 1 + random.below(2) }, input);
    trial.note(() => `${name}.forward(${given.map(shown).join(', ')})`);
    await settled(object.forward(...given));
    return;
  }
  await useMember(random, trial, object, name, random.pick(own));
}

async function useMember(random, trial, object, name, [key, descriptor]) {
  trial.count(1);
  if (descriptor.set && random.once(2)) {
    const given = oddity(random);
    trial.note(() => `${name}.${key} = ${shown(given)}`);
    object[key] = given;
    return;
  }
  if (typeof descriptor.value !== 'function') {
    trial.note(() => `${name}.${key}`);
    void object[key];
    return;
  }
  const given = Array.from({ length: random.below(4) }, () => anything(random));
  trial.note(() => `${name}.${key}(${given.map(shown).join(', ')})`);
  const result = await settled(object[key](...given));
  // Generators do nothing before they are asked.
  if (typeof result?.next === 'function' && typeof result?.[Symbol.iterator] === 'function')
    for (let i = 0; i < 4; i++) result.next();
}

async function one(random, trial) {
  trial.count(1);
  if (random.once(4)) {
    await useMember(random, trial, tensor(random), 'tensor', random.pick(methods));
    return;
  }
  const callable = random.pick(callables);
  const { name, value } = callable;
  const given = argumentsFor(random, callable);
  trial.note(() => `${isClass(value) ? 'new ' : ''}${name}(${given.map(shown).join(', ')})`);
  const result = isClass(value) ? Reflect.construct(value, given) : await settled(value(...given));
  if (typeof result === 'object' && result !== null && !(result instanceof Tensor) && isClass(result.constructor)) {
    for (let i = 0; i < 3; i++) await useObject(random, trial, result, name);
  }
}

export default {
  unit: 'calls',
  setup: () => (random, trial) => torch.asyncScope(() => one(random, trial)),
};
