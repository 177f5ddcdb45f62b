/** Where teachers come from. */
import { existsSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { checkCall, type Kinds } from '../call.js';
import { FileError, TeacherError } from '../errors.js';
import { loadPth, loadSafetensors } from '../files/index.js';
import { type Classifier, create, list } from '../models/index.js';
import { didYouMean } from '../suggest.js';
import { scope, Tensor } from '../tensor/index.js';
import { archiveKind, oldProgram } from './exported/archive.js';
import { ModelTeacher } from './model-teacher.js';
import { PackageTeacher } from './package-teacher.js';
import { loadStudent } from './saved-student.js';
import { ScriptTeacher, type ScriptTeacherOptions } from './script-teacher.js';
import type { TeacherBase } from './teacher-base.js';

const kinds: Kinds<TeacherOptions> = { tap: 'string', device: 'string' };

/** A frozen network that a student learns from: its penultimate feature and logits. */
export type Teacher = TeacherBase;
/** How a teacher is loaded; a TorchScript file may need the path of its classifier. */
export type TeacherOptions = ScriptTeacherOptions;

export const Teacher = {
  /**
   * A teacher from one of:
   * - a program of torch.export.save (`teacher.pt2`);
   * - a TorchScript file, scripted or traced (`teacher.pt`);
   * - a model of the zoo with its weights, `<model>:<file>`, where the file is a `.pth` or `.safetensors` state dict, or a checkpoint that holds one
   *   (`wrn_40_2:wrn_40_2.pth`);
   * - a run of this package, by its folder or its `student.safetensors`;
   * - an AOTInductor package (`.pt2`) that returns (logits, feature), see {@link PackageTeacher}.
   *
   * Throws FileError where the file is none of these, TeacherError where its classifier cannot be found or the weights do not fit.
   */
  async load(source: string, options: TeacherOptions = {}): Promise<Teacher> {
    checkCall('Teacher.load', ['source'], kinds, arguments);
    const [, model, file] = source.match(/^([\w.]+):(.+\.(?:pth|pt|bin|tar|safetensors))$/) ?? [];
    if (model !== undefined && file !== undefined) return fromZoo(source, model, file, options);
    const isFolder = existsSync(source) && statSync(source).isDirectory();
    if (isFolder || extname(source) === '.safetensors') {
      refuseTap(source, options);
      return placed(loadStudent(source).student, source, options);
    }
    return fromArchive(source, options);
  },

  /** A network of your own as a teacher; it is frozen. */
  of: (model: Classifier, source = model.constructor.name): Teacher => ModelTeacher.of(model, source),
};

/** Whether its classifier was chosen among the layers of a file, by `tap` or by itself. */
export const isTapped = (teacher: Teacher | undefined): teacher is ScriptTeacher | PackageTeacher =>
  teacher instanceof ScriptTeacher || teacher instanceof PackageTeacher;

/** A `.pt2` or TorchScript file; its content decides which. */
async function fromArchive(source: string, options: TeacherOptions): Promise<Teacher> {
  const kind = await archiveKind(source);
  if (kind === 'old program') throw new FileError(oldProgram(source));
  if (kind === 'program') return ScriptTeacher.loadExported(source, options);
  if (kind === 'package' || extname(source) === '.pt2') return PackageTeacher.load(source, options);
  return ScriptTeacher.load(source, options);
}

function placed(model: Classifier, source: string, { device }: TeacherOptions): Teacher {
  return ModelTeacher.of(device === undefined ? model : model.to({ device }), source);
}

function refuseTap(source: string, { tap }: TeacherOptions): void {
  if (tap === undefined) return;
  throw new TeacherError(
    `--tap ${tap} is for teachers from torch.export or TorchScript; ${source} knows its own classifier.`,
  );
}

async function fromZoo(source: string, name: string, file: string, options: TeacherOptions): Promise<Teacher> {
  if (!list().includes(name) && !/^wrn_\d+_\d+$/.test(name))
    throw new TeacherError(`There is no model '${name}' for the teacher ${source}.${didYouMean(name, list())}`);
  refuseTap(source, options);
  const content = file.endsWith('.safetensors') ? loadSafetensors(file).tensors : await loadPth(file);
  return scope(() => {
    const state = stateDictIn(file, content);
    const matrices = Object.entries(state).filter(([key, { ndim }]) => key.endsWith('.weight') && ndim === 2);
    const firstMap = Object.values(state).find(({ ndim }) => ndim === 4);
    const numClasses = matrices.at(-1)?.[1].shape[0];
    if (numClasses === undefined)
      throw new TeacherError(`${file} holds no linear layer: it is no classifier's weights.`);
    const model = create(name, { numClasses, inChannels: firstMap?.shape[1] ?? 3 });
    try {
      model.loadStateDict(state);
    } catch (error) {
      throw new TeacherError(`The weights in ${file} are not those of ${name}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return placed(model, source, options);
  });
}

/** Where training checkpoints keep their weights. */
const usualKeys = ['state_dict', 'model', 'model_state_dict', 'net'];

/** The tensors of a file by name, or those under a usual key of a checkpoint; without the `module.` of data parallelism. */
function stateDictIn(file: string, content: unknown): Record<string, Tensor> {
  const inner = usualKeys.map((key) => (content as Record<string, unknown> | null)?.[key]);
  const found = [content, ...inner].map(asStateDict).find((candidate) => candidate !== undefined);
  if (!found) {
    throw new TeacherError(
      `${file} holds no state dict: neither tensors by name, nor a checkpoint with them under ${usualKeys.join(', ')}.`,
    );
  }
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name.replace(/^module\./, ''), tensor]));
}

function asStateDict(value: unknown): Record<string, Tensor> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const items = Object.values(value);
  return items.length > 0 && items.every((item) => item instanceof Tensor)
    ? (value as Record<string, Tensor>)
    : undefined;
}
