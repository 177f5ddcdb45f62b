/** Describes in a student's file the run that it came from. */
import { evaluationViewOf } from '../data/evaluation-view.js';
import { fingerprintOf } from '../data/fingerprint.js';
import { moduleFor, modulePrefix } from '../distill/own-network.js';
import type { StudentAccuracy, StudentCard } from '../distill/saved-student.js';
import type { EpochRecord } from '../flow.js';
import type { Provenance } from './events.js';
import type { Parts } from './prepare.js';
import { commandLine, packageVersion, teacherHash } from './provenance.js';

/** Describes the student of a run after an epoch; constant parts are computed once. */
export class StudentRecord {
  #constant: Partial<StudentCard> | undefined;
  #provenance: Provenance | undefined;

  constructor(readonly parts: Parts) {}

  /** Returns the card of the student in `file`, with the weights of an epoch. */
  card(file: string, { epoch, test, validation }: EpochRecord): StudentCard {
    const { setup, student, data, options } = this.parts;
    const { mean, std, channels, height, width } = data;
    const named = typeof setup.student === 'string' ? setup.student : undefined;
    const accuracy = accuracyOf('test', test) ?? accuracyOf('validation', validation);
    this.#constant ??= this.#origin();
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

  /** The origin of the run's results. */
  get provenance(): Provenance {
    const { teacher, data } = this.parts;
    const sha256 = teacher && !this.#provenance ? teacherHash(teacher.source) : undefined;
    this.#provenance ??= {
      ...packageVersion(),
      command: commandLine(),
      ...(sha256 !== undefined && { teacherSha256: sha256 }),
      dataSha256: fingerprintOf(data),
    };
    return this.#provenance;
  }

  #origin(): Partial<StudentCard> {
    const { method, teacher } = this.parts;
    const { version, commit, teacherSha256: sha256, dataSha256 } = this.provenance;
    return {
      method: { name: method.name, options: { ...method.options } },
      ...(teacher && { teacher: { source: teacher.source, ...(sha256 !== undefined && { sha256 }) } }),
      dataSha256,
      version,
      ...(commit !== undefined && { commit }),
    };
  }
}

const accuracyOf = (split: string, measured: EpochRecord['test']): StudentAccuracy | undefined =>
  measured && { split, top1: measured.top1, top5: measured.top5, count: measured.count };
