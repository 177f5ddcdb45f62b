/** Reads a run folder into one typed record. Writes nothing and opens no weights. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { FileError, messageOf } from '../errors.js';
import { problemIn } from '../expectation.js';
import { z } from '../options.js';
import { parseYaml, YamlProblem } from '../strict-yaml.js';
import type { Alone } from './alone.js';
import { type RunAnalysis, readAnalysis } from './run-analysis.js';
import { readSteps, type StepRow } from './step-rows.js';

export const recordFiles = {
  config: 'config.yaml',
  events: 'events.jsonl',
  steps: 'steps.csv',
  analysis: 'analysis.json',
};

/** A number that was NaN or Inf when written is null, because JSON has neither. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

const accuracy = z.object({ top1: number, top5: number, loss: number, count: number });
const time = z.iso.datetime({ offset: true }).optional();

const startEvent = z.object({
  type: z.literal('start'),
  time,
  config: z.record(z.string(), z.unknown()),
  parameters: z.number(),
  teacher: accuracy.optional(),
  // Older runs lack the number of classes, the environment and the provenance.
  classes: z.int().optional(),
  environment: z.record(z.string(), z.unknown()).optional(),
  provenance: z.record(z.string(), z.unknown()).optional(),
});

const epochEvent = z.object({
  type: z.literal('epoch'),
  time,
  epoch: z.int().min(1),
  epochs: z.int().min(1),
  lr: number,
  loss: number,
  terms: z.record(z.string(), number),
  trainTop1: number.optional(),
  validation: accuracy.optional(),
  test: accuracy.optional(),
  imagesPerSecond: number,
  seconds: number,
});

const endEvent = z.object({
  type: z.literal('end'),
  time,
  test: accuracy,
  epoch: z.int().optional(),
  seconds: number,
  stopped: z.string().optional(),
});

/** How a run began. */
export type StartRecord = z.output<typeof startEvent>;
/** An EpochRecord and the time when it was written, in ISO 8601. */
export type TimedEpoch = z.output<typeof epochEvent>;
/** An epoch with its accuracy on the test split. */
export type EvaluatedEpoch = TimedEpoch & { test: NonNullable<TimedEpoch['test']> };
/** How a run ended. */
export type EndRecord = z.output<typeof endEvent>;

/** All records of a run that reports show. */
export interface RunRecords {
  /** The name of the folder, or another name of the run. */
  name: string;
  /** The folder, if there is one. */
  path?: string;
  config: Record<string, unknown>;
  start?: StartRecord;
  /** In order; for a resumed run, the latest record of each epoch. */
  epochs: TimedEpoch[];
  /** Absent while the run is active, or if it was killed. */
  end?: EndRecord;
  analysis?: RunAnalysis;
  /** The steps in the record, in order. */
  steps?: StepRow[];
  /** The accuracy of the same student without a teacher. */
  alone?: Alone;
}

/**
 * Reads a run folder. Skips events of unknown types and a last line of events.jsonl that is incomplete because the
 * process ended. Throws FileError, with file and line, for anything else that cannot be read.
 */
export function readRun(path: string): RunRecords {
  const config = readConfig(path);
  const records: RunRecords = { name: basename(resolve(path)), path, config, epochs: [] };
  const file = join(path, recordFiles.events);
  // A run writes its configuration first, so the events may not exist yet.
  const lines = existsSync(file) ? readText(file).split('\n') : [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const torn = index === lines.length - 1;
    const event = parseJson(line);
    if (event === undefined && torn) break;
    addEvent(records, event, `${file}, line ${index + 1}`);
  }
  const analysis = readAnalysis(join(path, recordFiles.analysis));
  const steps = readSteps(join(path, recordFiles.steps));
  return { ...records, ...(steps.length > 0 && { steps }), ...(analysis && { analysis }) };
}

/** Adds an event of a run to its records; other types of events are skipped. Throws FileError that names `where`. */
export function addEvent(records: RunRecords, event: unknown, where: string): void {
  const type = z.object({ type: z.string() }).safeParse(event).data?.type;
  if (type === undefined) throw new FileError(`${where}: no event of a run. Expected a JSON object with a "type".`);
  if (type === 'start') {
    records.start = checked(startEvent, event, where);
    // A run that was resumed after its end has not ended.
    delete records.end;
  } else if (type === 'epoch') {
    const epoch = checked(epochEvent, event, where);
    records.epochs = [...records.epochs.filter((other) => other.epoch !== epoch.epoch), epoch];
    records.epochs.sort((a, b) => a.epoch - b.epoch);
  } else if (type === 'end') {
    records.end = checked(endEvent, event, where);
  }
}

/** Returns the epochs that were evaluated on the test split. */
export const evaluatedEpochs = ({ epochs }: RunRecords): EvaluatedEpoch[] =>
  epochs.filter((epoch): epoch is EvaluatedEpoch => epoch.test !== undefined);

/** Returns whether to show top-5 accuracies: with ten classes or fewer, they say little. */
export const showsTop5 = ({ start, analysis }: RunRecords): boolean =>
  (start?.classes ?? analysis?.classes.length ?? Number.POSITIVE_INFINITY) > 10;

/** Returns the epoch with the highest top-1 accuracy on the test split; the first one on a tie. */
export function bestEpoch(run: RunRecords): EvaluatedEpoch | undefined {
  return evaluatedEpochs(run).reduce<EvaluatedEpoch | undefined>(
    (best, epoch) => (best === undefined || epoch.test.top1 > best.test.top1 ? epoch : best),
    undefined,
  );
}

function checked<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new FileError(`${where}: ${problemIn(schema, value, result.error)}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readConfig(path: string): Record<string, unknown> {
  const file = join(path, recordFiles.config);
  if (!existsSync(file)) throw new FileError(`${file} does not exist: ${path} is not a run folder.`);
  const config = z.record(z.string(), z.unknown()).safeParse(valueIn(file));
  if (!config.success) throw new FileError(`${file}, line 1: expected options as 'name: value'.`);
  return config.data;
}

function valueIn(file: string): unknown {
  try {
    return parseYaml(readText(file));
  } catch (error) {
    if (error instanceof YamlProblem)
      throw new FileError(`${file}, line ${error.line}: ${error.message}`, { cause: error });
    throw error;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FileError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}
