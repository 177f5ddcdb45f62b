/** Architectures by name. A new family is a file in this folder and a line here; a test walks the folder. */
import { ConfigError } from '../errors.js';
import { didYouMean } from '../suggest.js';
import { scope } from '../tensor/index.js';
import { cifarResNets } from './cifar-resnet.js';
import type { Classifier, ModelFamily, ModelOptions } from './contract.js';

export { CifarResNet } from './cifar-resnet.js';
export { Classifier, type ModelFamily, type ModelOptions } from './contract.js';
export { measureFeatures } from './measure.js';

export const modelFamilies: readonly ModelFamily[] = [cifarResNets];

/** Every name that {@link create} knows. */
export function list(): string[] {
  return modelFamilies.flatMap((family) => family.names);
}

/**
 * A new model with initial weights from the default generator (see `torch.manualSeed`). Throws ConfigError for an unknown name,
 * with the nearest ones.
 */
export function create(name: string, { numClasses, inChannels = 3 }: ModelOptions): Classifier {
  const family = modelFamilies.find((candidate) => candidate.names.includes(name));
  if (!family)
    throw new ConfigError(`There is no model '${name}'; there are ${list().join(', ')}.${didYouMean(name, list())}`);
  if (!(Number.isInteger(numClasses) && numClasses > 0))
    throw new ConfigError(`numClasses must be a whole number above 0, not ${numClasses}.`);
  return scope(() => family.create(name, { numClasses, inChannels }));
}
