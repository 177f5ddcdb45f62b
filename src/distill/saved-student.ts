/** Networks as files: the weights, and in the metadata what is needed to make the network again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkCall } from '../call.js';
import type { Dataset } from '../data/dataset.js';
import { FileError } from '../errors.js';
import { loadSafetensors, saveSafetensors } from '../files/index.js';
import { type Classifier, create } from '../models/index.js';
import { Linear } from '../nn/index.js';
import { scope } from '../tensor/index.js';
import { ProjectedClassifier, Projector } from './projector.js';

/** The file of a run folder with the student in its last state, and that of its best epoch. */
export const studentFiles = { last: 'student.safetensors', best: 'student-best.safetensors' };

/** What a student needs to be made again, in the metadata of its file. */
export interface StudentCard {
  model: string;
  numClasses: number;
  inChannels: number;
  /** The data set it was trained on. */
  data: string;
  /** [C, H, W]: images that it was trained on; absent in files of older versions. */
  input?: number[];
  /** How its images were normalized, where that was not as the data set says. */
  mean?: number[];
  std?: number[];
  /**
   * It predicts through a projector and the teacher's classifier: the teacher's last map, [C, H, W], and the
   * projector's factor.
   */
  projected?: { teacherMap: number[]; factor: number; studentChannels: number };
}

/** Writes a student atomically. A projected one is described by the card that this completes. */
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

/**
 * The student of a run folder (its best, where one was kept), or of a file of one, ready to evaluate. Throws FileError
 * where there is none, or the file does not say which model it holds.
 */
export function loadStudent(path: string): { student: Classifier; card: StudentCard } {
  checkCall('loadStudent', ['path'], undefined, arguments);
  const inFolder = [studentFiles.best, studentFiles.last]
    .map((name) => join(path, name))
    .find((file) => existsSync(file));
  const file = path.endsWith('.safetensors') ? path : inFolder;
  if (file === undefined || !existsSync(file))
    throw new FileError(`${path} is no run folder with a student in it, nor a student.safetensors.`);
  return scope(() => {
    const { tensors, metadata } = loadSafetensors(file);
    if (!metadata.srrl) throw new FileError(`${file} was not written by a run: it does not say which model it holds.`);
    const card = JSON.parse(metadata.srrl) as StudentCard;
    const student = build(card);
    student.loadStateDict(tensors);
    return { student: student.eval(), card };
  });
}

/** The data set with its images normalized as the student expects them. */
export function asSeenBy({ mean, std }: StudentCard, data: Dataset): Dataset {
  return mean || std ? { ...data, mean: mean ?? data.mean, std: std ?? data.std } : data;
}

function build(card: StudentCard): Classifier {
  const student = create(card.model, { numClasses: card.numClasses, inChannels: card.inChannels });
  if (!card.projected) return student;
  const { teacherMap, factor, studentChannels } = card.projected;
  const width = teacherMap[0] as number;
  const projector = new Projector(studentChannels, width, factor);
  return new ProjectedClassifier(student, projector, new Linear(width, card.numClasses), teacherMap);
}
