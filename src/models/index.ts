/** Architectures by name. A new family is a file in this folder and a line here; a test walks the folder. */
import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { summary as measureModule } from '../nn/index.js';
import { didYouMean } from '../suggest.js';
import { getRngState, scope, setRngState, functions as torch } from '../tensor/index.js';
import { cifarMobileNetV2 } from './cifar-mobilenet-v2.js';
import { cifarResNets } from './cifar-resnet.js';
import { cifarResNet50 } from './cifar-resnet50.js';
import { cifarShuffleNetsV2 } from './cifar-shufflenet-v2.js';
import { cifarVggs } from './cifar-vgg.js';
import type { Classifier, ModelDescription, ModelFamily, ModelOptions } from './contract.js';
import { convNeXts } from './convnext.js';
import { efficientNets } from './efficientnet.js';
import { mobileNetV1 } from './mobilenet-v1.js';
import { mobileNetV2 } from './mobilenet-v2.js';
import { mobileNetsV3 } from './mobilenet-v3.js';
import { resNets } from './resnet.js';
import { shuffleNetV1 } from './shufflenet-v1.js';
import { shuffleNetsV2 } from './shufflenet-v2.js';
import { vggs } from './vgg.js';
import { visionTransformers } from './vit.js';
import { wideResNets } from './wide-resnet.js';

export { CifarResNet } from './cifar-resnet.js';
export { Classifier, type ModelDescription, type ModelFamily, type ModelOptions } from './contract.js';
export { measureFeatures } from './measure.js';

const kinds: Kinds<ModelOptions> = { numClasses: 'number', inChannels: 'number', imageSize: 'number' };

/** The families of architectures, each with its names. */
export const modelFamilies: readonly ModelFamily[] = [
  cifarResNets,
  wideResNets,
  cifarVggs,
  cifarResNet50,
  cifarMobileNetV2,
  shuffleNetV1,
  cifarShuffleNetsV2,
  resNets,
  mobileNetV1,
  mobileNetV2,
  mobileNetsV3,
  shuffleNetsV2,
  efficientNets,
  vggs,
  convNeXts,
  visionTransformers,
];

/** Returns the names that {@link create} accepts; some families also accept a pattern (`wrn_<depth>_<width>`). */
export function list(): string[] {
  return modelFamilies.flatMap((family) => family.names);
}

function familyOf(name: string): ModelFamily {
  const family = modelFamilies.find(({ names, pattern }) => names.includes(name) || pattern?.test(name));
  if (family) return family;
  throw new ConfigError(`There is no model '${name}'.${didYouMean(name, list())} Known are ${list().join(', ')}.`);
}

/**
 * Creates a model with initial weights from the default generator (see `torch.manualSeed`). Throws ConfigError for an
 * unknown name and suggests the nearest ones.
 */
export function create(name: string, { numClasses, inChannels = 3, imageSize }: ModelOptions): Classifier {
  checkCall('models.create', ['name'], kinds, arguments);
  const family = familyOf(name);
  const options = { numClasses, inChannels, imageSize: imageSize ?? family.imageSize };
  for (const [key, value] of Object.entries(options)) {
    if (!(Number.isInteger(value) && value > 0))
      throw new ConfigError(`${key} must be a whole number above 0, not ${value}.`);
  }
  return scope(() => family.create(name, options));
}

/**
 * Describes an architecture. Creates it for that, which takes seconds for the largest ones; the state of the default
 * generator is preserved.
 */
export function describe(name: string): ModelDescription {
  const { summary, imageSize, numClasses } = familyOf(name);
  const state = getRngState();
  const model = create(name, { numClasses });
  try {
    const image = torch.zeros([1, 3, imageSize, imageSize]);
    const { parameters, flops } = measureModule(model, image);
    image.dispose();
    const { featureChannels } = model;
    return { name, summary, input: [3, imageSize, imageSize], numClasses, parameters, flops, featureChannels };
  } finally {
    model.dispose();
    setRngState(state);
  }
}
