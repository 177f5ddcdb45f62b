/** Saves and loads students: weights, and metadata from which the network is created again. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkCall, type Kinds } from '../call.js';
import type { Dataset } from '../data/dataset.js';
import { FileError } from '../errors.js';
import { loadSafetensors, openSafetensors, saveSafetensors } from '../files/index.js';
import { type Classifier, create } from '../models/index.js';
import { Linear } from '../nn/index.js';
import { getRngState, scope, setRngState } from '../tensor/index.js';
import { type MakeStudent, modulePrefix, ownNetwork } from './own-network.js';
import { ProjectedClassifier, Projector } from './projector.js';
import { parseCard, type StudentCard } from './student-card.js';

export type { MakeStudent } from './own-network.js';
export type { StudentAccuracy, StudentCard, StudentPreprocessing } from './student-card.js';

/** The file of a run folder with the student in its last state, and that of its best epoch. */
export const studentFiles = { last: 'student.safetensors', best: 'student-best.safetensors' };

/** The file with the weights in a folder for the Hugging Face hub. */
export const exportedWeights = 'model.safetensors';

/** Writes a student atomically. For a projected student, adds its projector to the card. */
export function saveStudent(file: string, student: Classifier, card: StudentCard): void {
  checkCall('saveStudent', ['file', 'student', 'card'], undefined, arguments);
  const whole =
    student instanceof ProjectedClassifier
      ? {
          ...card,
          projected: {
            teacherMap: [...student.teacherMap],
            factor: student.projector.factor,
            studentChannels: student.projector.conv1.inChannels,
          },
        }
      : card;
  scope(() => saveSafetensors(file, student.stateDict(), { format: 'pt', srrl: JSON.stringify(whole) }));
}

const kinds: Kinds<LoadStudentOptions> = { model: 'any' };

/** Options for loading a student whose network is not in the registry. */
export interface LoadStudentOptions {
  /**
   * Creates the network: `module:FILE` with a function as default export, a function, or a network that receives the
   * weights. Default: the module with which it was trained.
   */
  model?: string | MakeStudent | Classifier;
}

/**
 * The file of a student: that of its best epoch, or else its last one, in the folder of a run, that of an exported
 * folder, or a file itself. Throws FileError where there is none.
 */
export function studentFileIn(path: string): string {
  const candidates = path.endsWith('.safetensors')
    ? [path]
    : [studentFiles.best, studentFiles.last, exportedWeights].map((name) => join(path, name));
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file !== undefined) return file;
  throw new FileError(`${path} is not a run folder with a student, an exported folder, or a student.safetensors.`);
}

/** Reads the card of a student's file. Throws FileError if there is no card, or it is invalid. */
export function readStudentCard(path: string): StudentCard {
  checkCall('readStudentCard', ['path'], undefined, arguments);
  const file = studentFileIn(path);
  using opened = openSafetensors(file);
  return cardIn(file, opened.metadata);
}

function cardIn(file: string, { srrl }: Readonly<Record<string, string>>): StudentCard {
  if (!srrl) throw new FileError(`${file} was not written by a run: it does not say which model it holds.`);
  return parseCard(file, srrl);
}

/**
 * Loads the student of a run folder (the best one, if it was kept) or of a file, ready to evaluate. Throws FileError if
 * there is none, the file does not name its model, or the network cannot be created.
 */
export function loadStudent(
  path: string,
  { model }: LoadStudentOptions = {},
): { student: Classifier; card: StudentCard } {
  checkCall('loadStudent', ['path'], kinds, arguments);
  const file = studentFileIn(path);
  return scope(() => {
    const { tensors, metadata } = loadSafetensors(file);
    const card = cardIn(file, metadata);
    const student = build(file, card, model);
    student.loadStateDict(tensors);
    return { student: student.eval(), card };
  });
}

/**
 * Returns the bytes of the tensors in a student's file. They are equal for bitwise identical weights; whole files
 * differ in date and command.
 */
export function weightBytes(file: string): Buffer {
  const bytes = readFileSync(file);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
}

/** Returns the data set with the normalization that the student expects. */
export function asSeenBy({ mean, std }: StudentCard, data: Dataset): Dataset {
  return mean || std ? { ...data, mean: mean ?? data.mean, std: std ?? data.std } : data;
}

/** Creates the network. Restores the random generator, because the initial weights are overwritten. */
function build(file: string, card: StudentCard, model: LoadStudentOptions['model']): Classifier {
  const state = getRngState();
  try {
    const student = network(file, card, model);
    if (!card.projected || student instanceof ProjectedClassifier) return student;
    const { teacherMap, factor, studentChannels } = card.projected;
    const width = teacherMap[0] as number;
    const projector = new Projector(studentChannels, width, factor);
    return new ProjectedClassifier(student, projector, new Linear(width, card.numClasses), teacherMap);
  } finally {
    setRngState(state);
    state.dispose();
  }
}

function network(file: string, card: StudentCard, model: LoadStudentOptions['model']): Classifier {
  const { numClasses, inChannels, input } = card;
  const imageSize = input?.[1];
  if (model === undefined && !card.module && !card.object && !card.model.startsWith(modulePrefix))
    return create(card.model, { numClasses, inChannels, ...(imageSize !== undefined && { imageSize }) });
  return ownNetwork(file, card, { numClasses, inChannels, imageSize: imageSize ?? 224 }, model);
}
