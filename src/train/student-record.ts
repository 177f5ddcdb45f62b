/** What the file of a student says of the run that it came from. */
import { evaluationViewOf } from '../data/evaluation-view.js';
import { fingerprintOf } from '../data/fingerprint.js';
import { moduleFor, modulePrefix } from '../distill/own-network.js';
import type { StudentAccuracy, StudentCard } from '../distill/saved-student.js';
import type { EpochRecord } from '../flow.js';
import type { Parts } from './prepare.js';
import { commandLine, packageVersion, teacherHash } from './provenance.js';

/** Describes the student of a run after an epoch; what stays the same is found out once. */
export class StudentRecord {
  #constant: Partial<StudentCard> | undefined;

  constructor(private readonly parts: Parts) {}

  /** The card of the student that goes into `file` with the weights of an epoch. */
  card(file: string, { epoch, test, validation }: EpochRecord): StudentCard {
    const { setup, student, data, options } = this.parts;
    const { mean, std, channels, height, width } = data;
    const named = typeof setup.student === 'string' ? setup.student : undefined;
    const accuracy = accuracyOf('test', test) ?? accuracyOf('validation', validation);
    this.#constant ??= this.#provenance();
    return {
      model: named ?? student.constructor.name,
      numClasses: data.classes.length,
      inChannels: channels,
      data: data.source,
      input: [channels, height, width],
      ...((options.mean || options.std) && { mean: [...mean], std: [...std] }),
      ...(named?.startsWith(modulePrefix) && { module: moduleFor(named, file) }),
      ...(named === undefined && { object: true }),
      classes: [...data.classes],
      preprocessing: { ...evaluationViewOf(data), mean: [...mean], std: [...std] },
      ...this.#constant,
      ...(accuracy && { accuracy }),
      epoch,
      command: commandLine(),
      date: new Date().toISOString(),
    };
  }

  #provenance(): Partial<StudentCard> {
    const { method, teacher, data } = this.parts;
    const sha256 = teacher && teacherHash(teacher.source);
    return {
      method: { name: method.name, options: { ...method.options } },
      ...(teacher && { teacher: { source: teacher.source, ...(sha256 !== undefined && { sha256 }) } }),
      dataSha256: fingerprintOf(data),
      ...packageVersion(),
    };
  }
}

const accuracyOf = (split: string, measured: EpochRecord['test']): StudentAccuracy | undefined =>
  measured && { split, top1: measured.top1, top5: measured.top5, count: measured.count };
