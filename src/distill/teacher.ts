/** Loads teachers. */
import { existsSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { checkCall, type Kinds } from '../call.js';
import { FileError, TeacherError } from '../errors.js';
import { kindOfFile, openSafetensors } from '../files/index.js';
import type { Classifier } from '../models/index.js';
import { asyncScope } from '../tensor/index.js';

import { AdaptedTeacher, type Preprocessing, preprocessingOf } from './adapted-teacher.js';
import { archiveKind, oldProgram } from './exported/archive.js';

import { ModelTeacher } from './model-teacher.js';
import { PackageTeacher } from './package-teacher.js';
import { loadStudent } from './saved-student.js';
import { ScriptTeacher, type ScriptTeacherOptions } from './script-teacher.js';
import type { TeacherBase } from './teacher-base.js';
import { suggestionsFor, whatItIs, zooModel } from './zoo-teacher.js';

const kinds: Kinds<TeacherOptions> = { tap: 'string', device: 'string', mean: 'any', std: 'any', size: 'number' };

/** A frozen network that a student learns from: its penultimate feature and logits. */
export type Teacher = TeacherBase;
/** How a teacher is loaded, and how it expects its images; a TorchScript file may need the path of its classifier. */
export interface TeacherOptions extends ScriptTeacherOptions, Preprocessing {}

export const Teacher = {
  /**
   * Loads a teacher from one of:
   * - a program of torch.export.save (`teacher.pt2`);
   * - a TorchScript file, scripted or traced (`teacher.pt`);
   * - a model of the zoo with its weights, `<model>:<file>` (`wrn_40_2:wrn_40_2.pth`), where the file is a `.pth` or
   *   `.safetensors` state dict, or a checkpoint that holds one;
   * - a run of this package, by its folder or its `student.safetensors`;
   * - an AOTInductor package (`.pt2`) that returns (logits, feature), see {@link PackageTeacher}.
   *
   * With `mean`, `std` and `size` it sees images in the normalization and size that it was trained with; images are
   * then given to it as a data set normalizes them in a run, and in the scale 0..1 elsewhere.
   *
   * Throws FileError where the file is none of these, TeacherError where its classifier cannot be found or the weights
   * do not fit.
   */
  async load(source: string, options: TeacherOptions = {}): Promise<Teacher> {
    checkCall('Teacher.load', ['source'], kinds, arguments);
    const teacher = await loaded(source, options);
    const preprocessing = preprocessingOf(options);
    if (!preprocessing || teacher instanceof AdaptedTeacher) return teacher;
    return new AdaptedTeacher(teacher, preprocessing);
  },

  /** A network of your own as a teacher; it is frozen. */
  of: (model: Classifier, source = model.constructor.name): Teacher => ModelTeacher.of(model, source),
};

async function loaded(source: string, options: TeacherOptions): Promise<Teacher> {
  const [, model, file] = (!existsSync(source) && source.match(/^([\w.]{2,}):(.+)$/s)) || [];
  if (model !== undefined && file !== undefined) return fromZoo(source, model, file, options);
  const isFolder = existsSync(source) && statSync(source).isDirectory();
  if (existsSync(source) && !isFolder) await refuseOtherKinds(source);
  if (isFolder || extname(source) === '.safetensors') {
    refuseTap(source, options);
    const { student, card } = loadStudent(source);
    // The normalization of its training, unless options override it.
    const seen = preprocessingOf({ ...card, ...preprocessingOf(options) });
    const teacher = placed(student, source, options);
    return seen ? new AdaptedTeacher(teacher, seen) : teacher;
  }
  return fromArchive(source, options);
}

/** Whether its classifier was chosen among the layers of a file, by `tap` or by itself. */
export function isTapped(teacher: Teacher | undefined): teacher is Teacher {
  const own = teacher instanceof AdaptedTeacher ? teacher.inner : teacher;
  return own instanceof ScriptTeacher || own instanceof PackageTeacher;
}

/** A `.pt2` or TorchScript file; its content decides which. */
async function fromArchive(source: string, { tap, device }: TeacherOptions): Promise<Teacher> {
  const options = { ...(tap !== undefined && { tap }), ...(device !== undefined && { device }) };
  const kind = await archiveKind(source);
  if (kind === 'old program') throw new FileError(oldProgram(source));
  if (kind === 'program') return ScriptTeacher.loadExported(source, options);
  if (kind === 'package' || extname(source) === '.pt2') return PackageTeacher.load(source, options);
  return ScriptTeacher.load(source, options);
}

/** Files that are no teacher by themselves: weights without a network, and what is not read here. */
async function refuseOtherKinds(file: string): Promise<void> {
  const kind = await kindOfFile(file);
  if (kind === 'safetensors' ? !loadSafetensorsMetadata(file).srrl : kind === 'state dict')
    throw new TeacherError(await suggestionsFor(file));
  if (kind === 'ONNX' || kind === 'HDF5' || kind === 'NumPy' || kind === 'pickle')
    throw new TeacherError(`${file} is not a teacher: ${whatItIs[kind]}`);
}

function loadSafetensorsMetadata(file: string): Readonly<Record<string, string>> {
  using opened = openSafetensors(file);
  return opened.metadata;
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
  refuseTap(source, options);
  return asyncScope(async () => placed(await zooModel(source, name, file), source, options));
}
