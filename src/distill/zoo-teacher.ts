/** Networks of the model zoo with weights from files of any origin. */
import { FileError, TeacherError } from '../errors.js';
import { type FileKind, kindOfFile, loadPth, loadSafetensors } from '../files/index.js';
import { type Classifier, create, list, modelFamilies } from '../models/index.js';
import { digestOf, endsOf, type ModelSignature } from '../models/signature.js';
import { signatures } from '../models/signatures.generated.js';
import type { StateDict } from '../nn/index.js';
import { quoted } from '../shell.js';
import { didYouMean } from '../suggest.js';
import { getRngState, setRngState } from '../tensor/index.js';
import { byNamesOf, stateDictsIn, usualKeys } from './state-dict.js';

/** Returns whether the model zoo has a model of this name. */
export const isModelName = (name: string): boolean =>
  modelFamilies.some(({ names, pattern }) => names.includes(name) || pattern?.test(name));

/**
 * The tensors of a file of weights, by its content. Throws TeacherError where it is a file of another kind, FileError
 * where it cannot be read.
 */
export async function weightsIn(file: string): Promise<StateDict[]> {
  const kind = await kindOfFile(file);
  if (kind === 'safetensors') return [loadSafetensors(file).tensors];
  if (kind === 'state dict') return stateDictsIn(await loadPth(file, { unknown: 'opaque' }));
  throw new TeacherError(`${file} holds no weights by name: ${whatItIs[kind]}`);
}

const again = "Save the weights with Python's torch.save(model.state_dict(), path), or with safetensors.";
/** What other files are, and what to do with them. */
export const whatItIs: Record<Exclude<FileKind, 'safetensors' | 'state dict'>, string> = {
  TorchScript: 'it is a TorchScript module, which needs no model name: give it as --teacher FILE.',
  'torch.export program': 'it is a torch.export program, which needs no model name: give it as --teacher FILE.',
  'AOTInductor package': 'it is an AOTInductor package, which needs no model name: give it as --teacher FILE.',
  ONNX: 'it is an ONNX model, which is not read here. Write the original PyTorch model with torch.export.save, or with torch.jit.trace(model.eval(), images).save(path), or save its state dict.',
  HDF5: `it is an HDF5 file, as Keras writes it. ${again}`,
  NumPy: `it is a file of NumPy arrays. ${again}`,
  pickle: `it is a pickle that torch.save did not write. ${again}`,
  zip: `it is a zip archive of something else. ${again}`,
  unknown: `it is neither a file of torch.save nor of safetensors, or it is damaged. ${again}`,
};

/**
 * A model of the zoo with the weights of a file, in evaluation mode; channels and classes come from its first
 * convolution and its classifier. Throws TeacherError where they are the weights of another model.
 */
export async function zooModel(source: string, name: string, file: string): Promise<Classifier> {
  if (!isModelName(name))
    throw new TeacherError(`There is no model '${name}' for the teacher ${source}.${didYouMean(name, list())}`);
  const states = await weightsIn(file);
  if (states.length === 0)
    throw new TeacherError(
      `${file} holds no state dict: neither tensors by name, nor a checkpoint with them under ${usualKeys.join(', ')}.`,
    );
  return modelWith(name, file, states);
}

/**
 * What to say of a file that holds weights and no network: how to name it, and the models of the zoo whose weights they
 * are.
 */
export async function suggestionsFor(file: string): Promise<string> {
  const states = await weightsIn(file);
  const fitting = list().filter((name) => fits(name, states));
  const start = `${file} holds weights and no network.`;
  const otherwise = 'torch.export.save(torch.export.export(model.eval(), (images,)), path), or torch.jit.trace';
  if (states.length === 0) return `${start} It holds no tensors by name either.\nExport the network with ${otherwise}.`;
  if (fitting.length === 0)
    return `${start} Give the model that they belong to as well: --teacher ${quoted(`MODEL:${file}`)} (srrl models lists them; these are of none of them).\nAny other network can be a teacher where it is exported with ${otherwise}.`;
  const [first] = fitting;
  const more = fitting.length > 1 ? ` (or ${fitting.slice(1).join(', ')})` : '';
  return `${start} They fit ${first}${more}: use --teacher ${quoted(`${first}:${file}`)}`;
}

/** Whether one of the state dicts has exactly the names and shapes of a model, for its own channels and classes. */
function fits(name: string, states: readonly StateDict[]): boolean {
  const { classifier, first, digest } = signatures[name] as ModelSignature;
  return states.some((candidate) => {
    const state = byNamesOf(`${classifier}.weight`, candidate);
    return state !== undefined && digestOf(state, { classifier, first }) === digest;
  });
}

function modelWith(name: string, file: string, states: readonly StateDict[]): Classifier {
  const { numClasses } = familyOf(name);
  const sample = created(name, { numClasses, inChannels: 3 });
  const { classifier, first } = endsOf(sample);
  const named = states.map((state) => byNamesOf(`${classifier}.weight`, state)).find((state) => state !== undefined);
  const state = named ?? states[0] ?? {};
  const [classes, channels] = [state[`${classifier}.weight`]?.shape[0], state[`${first}.weight`]?.shape[1]];
  const options = { numClasses: classes ?? numClasses, inChannels: channels ?? 3, ...sizeOf(state) };
  sample.dispose();
  const model = created(name, options);
  try {
    model.loadStateDict(state);
    return model;
  } catch (error) {
    const own = Object.keys(model.stateDict());
    model.dispose();
    const matched = own.filter((key) => Object.hasOwn(state, key)).length;
    throw new TeacherError(
      `The weights in ${file} are not those of ${name} (${matched} of its ${own.length} names are there): ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Creates a model. Restores the random generator, because the initial weights are overwritten. */
function created(name: string, options: { numClasses: number; inChannels: number; imageSize?: number }): Classifier {
  const state = getRngState();
  try {
    return create(name, options);
  } finally {
    setRngState(state);
    state.dispose();
  }
}

function familyOf(name: string): (typeof modelFamilies)[number] {
  const family = modelFamilies.find(({ names, pattern }) => names.includes(name) || pattern?.test(name));
  if (!family) throw new FileError(`There is no model '${name}'.`);
  return family;
}

/** The size of the images that a vision transformer has positions for. */
function sizeOf(state: StateDict): { imageSize?: number } {
  const positions = Object.entries(state)
    .find(([name]) => /pos_embed(ding)?$/.test(name))?.[1]
    .shape.at(-2);
  const patch = Object.entries(state).find(([name]) => /(conv_proj|patch_embed\.proj)\.weight$/.test(name))?.[1]
    .shape[2];
  if (positions === undefined || patch === undefined) return {};
  const side = Math.sqrt(positions - 1);
  return Number.isInteger(side) ? { imageSize: side * patch } : {};
}
