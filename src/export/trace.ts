/** Traces a model's forward pass to a {@link Graph} with libtorch's tracer. */
import { checkCall } from '../call.js';
import { ConfigError, messageOf, NativeError, SrrlError } from '../errors.js';
import { native } from '../native.js';
import type { RawGraph } from '../native-types.js';
import { type Module, Parameter } from '../nn/index.js';
import { dtypeName } from '../tensor/dtype.js';
import { noGrad, owned, scope, Tensor, functions as torch } from '../tensor/index.js';
import { withFreeBatch } from './free-batch.js';
import { type Graph, type GraphNode, placeOf, type ValueInfo, type Weight } from './graph.js';
import { lineIn, Places } from './places.js';
import { inUsualForm } from './usual-form.js';

/** The batch sizes of the two traces: what differs between them depends on the number of images. */
const batches = [2, 3] as const;

/**
 * Runs `model` on two batches of images [C, H, W] and returns the operators that it ran, for any number of images. The
 * model must be on the CPU; it is traced in evaluation mode. Throws ConfigError if its forward cannot be written as a
 * list of operators: it reads a value of a tensor, runs other operators for another number of images, or holds a
 * parameter that is not a property of a module.
 */
export function traceGraph(model: Module, image: readonly number[]): Graph {
  checkCall('traceGraph', ['model', 'image'], undefined, arguments);
  const away = [...model.heldTensors()].find(({ device }) => device !== 'cpu');
  if (away)
    throw new ConfigError(`The model is on ${away.device}. Export it from the CPU: model.to({ device: 'cpu' }).`);
  const modes = [...model.namedModules()].map(([, module]) => [module, module.training] as const);
  model.eval();
  const places = new Places(model);
  try {
    const [first, second] = batches.map((count) => traced(model, [count, ...image], places)) as [Graph, Graph];
    return inUsualForm(withFreeBatch(first, second, batches));
  } finally {
    places.close();
    for (const [module, training] of modes) module.training = training;
  }
}

function traced(model: Module, shape: number[], places: Places): Graph {
  const weights = weightsOf(model);
  const attributes = [...weights].map(([path, { tensor }]) => ({ path, tensor: tensor.handle }));
  const forward = (handle: number) => {
    const output = (model.forward as (images: Tensor) => unknown)(new Tensor(handle));
    if (!(output instanceof Tensor))
      throw new ConfigError(`${model.constructor.name}.forward must return one tensor, the logits, to be exported.`);
    return output.handle;
  };
  const refuse = (operator: string, place: number): never => {
    throw new ConfigError(
      `${operator}${placeOf(places.at(place))} reads a value of a tensor in JavaScript, which would become a constant of the exported network.\nCompute with tensors instead.`,
    );
  };
  let raw: RawGraph | undefined;
  // Only the constants leave the scope and so belong to the outer one; the weights belong to the model.
  const constants = noGrad(() =>
    scope(() => {
      const images = ramp(shape);
      try {
        raw = native().graphTrace(images.handle, attributes, forward, () => places.here(), refuse);
        return raw.constants.map(({ tensor }) => owned(new Tensor(tensor)));
      } catch (error) {
        throw error instanceof ConfigError ? error : explained(error, model);
      }
    }),
  );
  return graphOf(model, raw as RawGraph, { weights, constants, shape, places });
}

/** Returns values that no operator treats specially. */
const ramp = (shape: number[]): Tensor =>
  torch
    .arange(
      shape.reduce((product, size) => product * size, 1),
      { dtype: 'float32' },
    )
    .mul(0.37)
    .sin()
    .reshape(shape);

function explained(error: unknown, model: Module): SrrlError {
  const message = messageOf(error);
  if (message.includes('requires grad as a constant'))
    return new ConfigError(
      `${model.constructor.name} computes with a parameter that is not a property of a module, so it has no name.\nMake it a property (this.name = new nn.Parameter(...)); arrays of modules belong in nn.ModuleList.`,
      { cause: error },
    );
  if (error instanceof NativeError && message.includes('are read in JavaScript'))
    return new ConfigError(
      `${lineIn(error.stack) || model.constructor.name}: ${message}, and would be constants of the exported network.\nCompute with tensors instead of item() and tolist().`,
      { cause: error },
    );
  return error instanceof SrrlError
    ? error
    : new ConfigError(`The model cannot be traced: ${message}`, { cause: error });
}

function weightsOf(model: Module): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  const own = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
  for (const name of Object.keys(model.stateDict())) {
    const tensor = own.get(name) as Tensor;
    weights.set(name, { tensor, kind: tensor instanceof Parameter ? 'parameter' : 'buffer' });
  }
  return weights;
}

interface Traced {
  weights: Map<string, Weight>;
  constants: Tensor[];
  shape: number[];
  places: Places;
}

function graphOf(model: Module, raw: RawGraph, { weights, constants, shape, places }: Traced): Graph {
  const values = new Map<string, ValueInfo>([['images', { shape, dtype: 'float32' }]]);
  for (const { name, shape, dtype } of raw.values)
    if (shape && dtype !== null) values.set(name, { shape, dtype: dtypeName(dtype) });
  for (const [i, { name }] of raw.constants.entries())
    weights.set(name, { tensor: constants[i] as Tensor, kind: 'constant' });
  const nodes = raw.nodes.map(({ place, ...node }): GraphNode => ({ ...node, ...places.at(place) }));
  return { inputs: ['images'], outputs: raw.outputs, nodes, weights, values, modules: modulesOf(model) };
}

function modulesOf(model: Module): Graph['modules'] {
  const named = (module: Module) => module.constructor.name.replace(/\W/g, '_').replace(/^(?![A-Za-z])/, 'Module');
  return [...model.namedModules()].map(([path, module]) => ({ path, type: named(module) }));
}
