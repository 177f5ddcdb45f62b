/** The folder of a run: its configuration, events, metrics, checkpoints and student. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { obstacleTo, writeFileAtomic } from '../atomic.js';
import { studentFiles } from '../distill/saved-student.js';
import { ConfigError, FileError, messageOf } from '../errors.js';
import type { EpochRecord } from '../flow.js';
import type { StepEvent } from './events.js';

const files = {
  config: 'config.yaml',
  events: 'events.jsonl',
  metrics: 'metrics.csv',
  steps: 'steps.csv',
  ...studentFiles,
};
/** Files made from a run's results, which would be wrong for another run. */
const derived = ['analysis.json', 'report.html'];
const checkpointName = /^checkpoint-(\d{9})\.safetensors$/;
const damagedName = /^checkpoint-\d{9}\.safetensors\.damaged$/;

export class RunFolder {
  #lastStep = 0;

  /**
   * @param validated whether its epochs have a validation accuracy: the first row of metrics.csv may be that of an
   * epoch without evaluation
   */
  private constructor(
    readonly path: string,
    private readonly validated = false,
  ) {}

  /** Throws ConfigError if a run would overwrite another one, or has no checkpoint to resume from. */
  static refuse(path: string, { overwrite = false, resume = false }: { overwrite?: boolean; resume?: boolean }): void {
    const obstacle = obstacleTo(path);
    if (obstacle !== undefined)
      throw new ConfigError(`The run folder ${path} cannot be made: ${obstacle}. Choose another --out.`);
    if (overwrite || !RunFolder.holdsRun(path)) return;
    const folder = new RunFolder(path);
    if (!resume) {
      throw new ConfigError(
        `${path} already holds a run. Choose another --out, continue with --resume, or start again with --overwrite.`,
      );
    }
    if (folder.latestCheckpoint() === undefined && existsSync(folder.studentFile('last')))
      throw new ConfigError(
        `${path} holds a run without a checkpoint to continue from. Choose another --out, or --overwrite.`,
      );
  }

  /** Creates the folder, and removes the files of an earlier run. Throws FileError if it cannot be written. */
  static create(path: string, config: Record<string, unknown>, validated: boolean): RunFolder {
    const folder = new RunFolder(path, validated);
    folder.writing(() => {
      mkdirSync(path, { recursive: true });
      for (const file of readdirSync(path))
        if (isOurs(file) || derived.includes(file) || damagedName.test(file)) rmSync(join(path, file));
      writeFileAtomic(join(path, files.config), stringify(config));
    });
    return folder;
  }

  /** Returns the folder of a run that resumes. */
  static open(path: string, validated = false): RunFolder {
    return new RunFolder(path, validated);
  }

  static holdsRun(path: string): boolean {
    return existsSync(path) && readdirSync(path).some(isOurs);
  }

  /** Returns the file of the newest checkpoint. */
  latestCheckpoint(): string | undefined {
    return this.newestFirst()[0]?.file;
  }

  /** Returns the checkpoints with their steps, the newest first. */
  newestFirst(): { step: number; file: string }[] {
    return this.checkpoints()
      .reverse()
      .map((name) => ({ step: Number(name.match(checkpointName)?.[1]), file: join(this.path, name) }));
  }

  /** Renames a damaged checkpoint, so that no run resumes from it. Returns the new name. */
  setAside(file: string): string {
    const aside = `${file}.damaged`;
    this.writing(() => renameSync(file, aside));
    return aside;
  }

  private checkpoints(): string[] {
    return existsSync(this.path)
      ? readdirSync(this.path)
          .filter((file) => checkpointName.test(file))
          .sort()
      : [];
  }

  /** Returns the file name for the checkpoint of a step. */
  checkpointFile(step: number): string {
    return join(this.path, `checkpoint-${String(step).padStart(9, '0')}.safetensors`);
  }

  /** Removes all checkpoints but the newest `keep`, and half-written files of a killed process. */
  prune(keep: number): void {
    for (const file of readdirSync(this.path)) if (isLeftOver(file)) rmSync(join(this.path, file), { force: true });
    for (const file of this.checkpoints().slice(0, -keep)) rmSync(join(this.path, file));
  }

  /** Appends a line to events.jsonl. */
  event(event: object): void {
    this.append(files.events, eventLine(event));
  }

  /** Appends a row to metrics.csv, and an event. */
  epoch(record: EpochRecord): void {
    this.event({ type: 'epoch', ...record });
    const row = rowOf(record, this.validated);
    const file = join(this.path, files.metrics);
    if (!existsSync(file)) this.append(files.metrics, `${Object.keys(row).join()}\n`);
    this.append(files.metrics, `${Object.values(row).join()}\n`);
  }

  /** Appends a row to steps.csv for about one of `every` steps; none for 0. */
  step(event: StepEvent, every: number): void {
    if (every === 0 || event.loss === undefined) return;
    if (Math.floor(event.step / every) === Math.floor(this.#lastStep / every)) return;
    this.#lastStep = event.step;
    const row = stepRow(event);
    const head = existsSync(join(this.path, files.steps)) ? '' : `${Object.keys(row).join()}\n`;
    this.append(files.steps, `${head}${Object.values(row).join()}\n`);
  }

  /** Truncates the records to these epochs and steps; later entries are removed. */
  rewind(epochs: readonly EpochRecord[], step: number): void {
    this.#lastStep = step;
    const steps = join(this.path, files.steps);
    if (existsSync(steps)) {
      const [head, ...rows] = readFileSync(steps, 'utf8').split('\n').slice(0, -1);
      const done = rows.filter((row) => Number.parseInt(row, 10) <= step);
      this.writing(() => writeFileAtomic(steps, [head, ...done].map((row) => `${row}\n`).join('')));
    }
    const kept = readFileSync(join(this.path, files.events), 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}') && isStillTrue(line, epochs.length));
    this.writing(() => {
      // The process may have died between the checkpoint of an epoch and the record of it.
      const known = new Set(
        kept.map((line) => JSON.parse(line)).flatMap(({ type, epoch }) => (type === 'epoch' ? [epoch] : [])),
      );
      const lost = epochs
        .filter(({ epoch }) => !known.has(epoch))
        .map((record) => eventLine({ type: 'epoch', ...record }));
      writeFileAtomic(join(this.path, files.events), [...kept.map((line) => `${line}\n`), ...lost].join(''));
      const rows = epochs.map((record) => rowOf(record, this.validated));
      const [first] = rows;
      if (first) {
        const lines = [Object.keys(first), ...rows.map((row) => Object.values(row))].map((cells) => cells.join());
        writeFileAtomic(join(this.path, files.metrics), `${lines.join('\n')}\n`);
      } else rmSync(join(this.path, files.metrics), { force: true });
    });
  }

  studentFile(which: keyof typeof studentFiles): string {
    return join(this.path, studentFiles[which]);
  }

  /** Throws FileError if the disk has less than `bytes` left. */
  checkSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.path);
    if (bavail * bsize >= bytes) return;
    const mebibytes = (count: number) => Math.ceil(count / 2 ** 20);
    throw new FileError(
      `${this.path} has ${mebibytes(bavail * bsize)} MiB left on its disk, and the run will need ${mebibytes(bytes)}. Free some, or choose another --out.`,
    );
  }

  private append(name: string, text: string): void {
    this.writing(() => appendFileSync(join(this.path, name), text));
  }

  private writing(body: () => void): void {
    try {
      body();
    } catch (error) {
      throw new FileError(`The run folder ${this.path} cannot be written: ${messageOf(error)}.`, { cause: error });
    }
  }
}

/** Names of terms are columns, so characters that would end a cell are replaced. */
const stepRow = ({ step, epoch, loss, terms = {}, lr, imagesPerSecond }: StepEvent) => ({
  step,
  epoch,
  loss,
  ...Object.fromEntries(
    Object.entries(terms).map(([name, value]) => [`term_${name.replace(/[^\w.:+-]/g, '_')}`, value]),
  ),
  lr,
  images_per_second: imagesPerSecond,
});

const eventLine = (event: object): string => `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`;

const isOurs = (file: string): boolean =>
  (Object.values(files) as string[]).includes(file) || checkpointName.test(file);

/**
 * Returns whether a file is a temporary one of a killed run: only the run that holds the lock writes these. Another
 * command, such as a report, may be writing its own temporary files at this moment.
 */
function isLeftOver(file: string): boolean {
  const [, name = '', pid] = /^(.+)\.(\d+)-[0-9a-f]+\.tmp$/.exec(file) ?? [];
  return isOurs(name) && Number(pid) !== process.pid;
}

/** Returns a row of metrics.csv. Cells without a measurement are empty. */
function rowOf(record: EpochRecord, validated: boolean): Record<string, number | string> {
  const { trainTop1, validation, test } = record;
  return {
    epoch: record.epoch,
    lr: record.lr,
    loss: record.loss,
    ...record.terms,
    ...(trainTop1 !== undefined && { train_top1: trainTop1 }),
    ...(validated && { validation_top1: validation?.top1 ?? '', validation_top5: validation?.top5 ?? '' }),
    top1: test?.top1 ?? '',
    top5: test?.top5 ?? '',
    test_loss: test?.loss ?? '',
    images_per_second: record.imagesPerSecond,
    seconds: record.seconds,
  };
}

function isStillTrue(line: string, epochs: number): boolean {
  try {
    const event = JSON.parse(line) as { type?: string; epoch?: number };
    return event.type !== 'end' && !(event.type === 'epoch' && (event.epoch ?? 0) > epochs);
  } catch {
    return false;
  }
}
