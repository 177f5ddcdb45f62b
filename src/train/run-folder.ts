/** The folder of a run: what it was asked, what happened, and the student that came out. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../atomic.js';
import { ConfigError, FileError, messageOf } from '../errors.js';
import { loadSafetensors, saveSafetensors } from '../files/index.js';
import type { EpochRecord } from '../flow.js';
import { type Classifier, create } from '../models/index.js';
import { scope } from '../tensor/index.js';

const files = { config: 'config.yaml', events: 'events.jsonl', metrics: 'metrics.csv', student: 'student.safetensors' };

/** What a student needs to be made again, in the metadata of its file. */
export interface StudentCard {
  model: string;
  numClasses: number;
  inChannels: number;
  /** The data set it was trained on. */
  data: string;
}

export class RunFolder {
  #columns: string[] | undefined;

  private constructor(readonly path: string) {}

  /** Makes the folder. Throws ConfigError where it has a run in it, unless `overwrite`. */
  static create(path: string, config: Record<string, unknown>, { overwrite = false } = {}): RunFolder {
    const occupied = existsSync(path) && readdirSync(path).some((file) => Object.values(files).includes(file));
    if (occupied && !overwrite)
      throw new ConfigError(`${path} already holds a run. Choose another --out, or give --overwrite.`);
    try {
      mkdirSync(path, { recursive: true });
      for (const file of Object.values(files)) rmSync(join(path, file), { force: true });
      writeFileAtomic(join(path, files.config), stringify(config));
    } catch (error) {
      throw new FileError(`The run folder ${path} cannot be written: ${messageOf(error)}.`, { cause: error });
    }
    return new RunFolder(path);
  }

  /** One line of events.jsonl. */
  event(event: object): void {
    appendFileSync(join(this.path, files.events), `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
  }

  /** One row of metrics.csv, and an event. */
  epoch(record: EpochRecord): void {
    const row: Record<string, number> = {
      epoch: record.epoch,
      lr: record.lr,
      loss: record.loss,
      ...record.terms,
      top1: record.test.top1,
      top5: record.test.top5,
      test_loss: record.test.loss,
      images_per_second: record.imagesPerSecond,
      seconds: record.seconds,
    };
    const file = join(this.path, files.metrics);
    if (!this.#columns) {
      this.#columns = Object.keys(row);
      appendFileSync(file, `${this.#columns.join()}\n`);
    }
    appendFileSync(file, `${this.#columns.map((column) => row[column]).join()}\n`);
    this.event({ type: 'epoch', ...record });
  }

  /** The student's weights, without connector or teacher. */
  saveStudent(student: Classifier, card: StudentCard): void {
    scope(() =>
      saveSafetensors(join(this.path, files.student), student.stateDict(), {
        format: 'pt',
        srrl: JSON.stringify(card),
      }),
    );
  }
}

/** The student of a run folder, or of a student.safetensors, ready to evaluate. */
export function loadStudent(path: string): { student: Classifier; card: StudentCard } {
  const file = path.endsWith('.safetensors') ? path : join(path, files.student);
  if (!existsSync(file)) throw new FileError(`${file} does not exist: ${path} is no run folder with a student in it.`);
  return scope(() => {
    const { tensors, metadata } = loadSafetensors(file);
    if (!metadata.srrl) throw new FileError(`${file} was not written by a run: it does not say which model it holds.`);
    const card = JSON.parse(metadata.srrl) as StudentCard;
    const student = create(card.model, card);
    student.loadStateDict(tensors);
    return { student: student.eval(), card };
  });
}
