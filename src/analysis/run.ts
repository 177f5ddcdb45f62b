/** Analysis of a run folder. */

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeFileAtomic } from '../atomic.js';
import { checkCall, type Kinds } from '../call.js';
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/datasets/index.js';
import { splitFingerprint } from '../data/fingerprint.js';
import { asTrained } from '../data/hold-out.js';
import { preprocessingOf } from '../distill/adapted-teacher.js';
import { deviceFor } from '../distill/run-device.js';
import { asSeenBy, loadStudent, type StudentCard } from '../distill/saved-student.js';
import { Teacher } from '../distill/teacher.js';
import { getRank } from '../distributed/group.js';
import { mustDoTheSame, stateHash } from '../distributed/state.js';
import { ConfigError, FileError, messageOf } from '../errors.js';
import type { Classifier } from '../models/index.js';
import { validate, z } from '../options.js';
import { parseYaml } from '../strict-yaml.js';
import { type AnalysisSetup, analyze } from './analyze.js';
import type { AnalysisRecord } from './record.js';

const kinds: Kinds<AnalyzeRunOptions> = {
  teacher: 'any',
  tap: 'string',
  data: 'any',
  out: 'string',
  split: 'string',
  batchSize: 'number',
  device: 'string',
  signal: 'any',
  onProgress: 'any',
  shared: 'boolean',
};

/** Options of {@link analyzeRun}. */
export interface AnalyzeRunOptions
  extends Pick<AnalysisSetup, 'split' | 'batchSize' | 'signal' | 'onProgress' | 'shared'> {
  /** A teacher, or an argument of Teacher.load(). Default: the run's teacher. */
  teacher?: string | Teacher;
  /**
   * Path of the teacher's classifier, if it is not found automatically. Default: the run's `tap`, if the teacher is the
   * run's.
   */
  tap?: string;
  /**
   * A data set, or `kind:path`. Default: the run's data set, with its training images and its held-out images.
   */
  data?: string | Dataset;
  /** Device of the networks. Default: the run's device, or the CPU if this machine does not have it. */
  device?: string;
  /** Result file, relative to the run folder. Default `analysis.json`, which reports read. */
  out?: string;
}

/** Content of the result file. */
export interface AnalyzedRun extends AnalysisRecord {
  run: string;
  /** Name of the student's model. */
  model: string;
  teacherFile: string;
}

/**
 * Compares the student of a run with its teacher, and writes the result into the run folder, where reports find it.
 * Throws FileError if `path` is not a run folder with a student, ConfigError if the run's teacher cannot be loaded
 * again or a split does not exist, and the errors of {@link analyze}.
 *
 *     const { overall, cka } = await analyzeRun('runs/a');
 *     writeReport('runs/a');
 */
export async function analyzeRun(path: string, options: AnalyzeRunOptions = {}): Promise<AnalyzedRun> {
  checkCall('analyzeRun', ['path'], kinds, arguments);
  const { teacher: wanted, tap, data: source, device: asked, out = 'analysis.json', ...rest } = options;
  const { device } = deviceFor(path, asked);
  const { student, card } = loadStudent(path);
  let teacher: Teacher | undefined;
  try {
    const config = readConfig(path);
    const data = await openData(path, config, card, source);
    if (rest.split === 'validation' && !data.validation)
      throw new ConfigError(`${path} held out no images, so it has no validation split. Choose --split test or train.`);
    teacher = typeof wanted === 'object' ? wanted : await openTeacher(path, config, { file: wanted, tap, device });
    student.to({ device, memoryFormat: 'channelsLast' });
    if (rest.shared) agree({ student, teacher, data, split: rest.split });
    const record = await analyze({ student, teacher, data, device, ...rest });
    const result = { run: path, model: card.model, teacherFile: teacher.source, ...record };
    if (!rest.shared || getRank() === 0) save(resolve(path, out), `${JSON.stringify(result)}\n`);
    return result;
  } finally {
    student.dispose();
    if (typeof wanted !== 'object') teacher?.dispose();
  }
}

/** Throws DistributedError on every process if student, teacher or images differ between them. */
function agree({ student, teacher, data, split = 'test' }: AnalysisSetup & { teacher: Teacher }): void {
  mustDoTheSame('analysis', {
    'weights of the student': stateHash((student as Classifier).stateDict()),
    'weights of the teacher': teacher.fingerprint(),
    [`${split} images`]: splitFingerprint(data, split),
  });
}

/** The settings in a run's config.yaml that concern its data and its teacher. */
const runConfig = z.object({
  data: z.string(),
  teacher: z.string().optional(),
  tap: z.string().optional(),
  trainImages: z.number().optional(),
  validation: z.number().optional(),
  seed: z.number().optional(),
  teacherMean: z.array(z.number()).optional(),
  teacherStd: z.array(z.number()).optional(),
  teacherSize: z.number().optional(),
});
type RunConfig = z.output<typeof runConfig>;

function readConfig(path: string): RunConfig {
  const file = join(path, 'config.yaml');
  if (!existsSync(file)) throw new FileError(`${file} does not exist: srrl analyze takes the folder of a run.`);
  try {
    return validate(runConfig, parseYaml(readFileSync(file, 'utf8')), 'it');
  } catch (error) {
    const [reason] = messageOf(error).split('\n');
    throw new FileError(`${file} is not the configuration of a run: ${reason}`, { cause: error });
  }
}

async function openData(
  path: string,
  { data: ownSource, trainImages, validation = 0, seed = 0 }: RunConfig,
  card: StudentCard,
  source?: string | Dataset,
): Promise<Dataset> {
  const opened = asSeenBy(card, typeof source === 'object' ? source : await openDataset(source ?? ownSource));
  if (opened.channels !== card.inChannels)
    throw new ConfigError(`${path} takes ${card.inChannels}-channel images; ${opened.source} has ${opened.channels}.`);
  // The run split only its own data.
  return source === undefined ? asTrained(opened, { trainImages, validation, seed }) : opened;
}

/** Loads the requested teacher, or else the run's with the run's tap and preprocessing. */
async function openTeacher(
  path: string,
  config: RunConfig,
  { file, tap, device }: { file: string | undefined; tap: string | undefined; device: string },
): Promise<Teacher> {
  const chosen = file ?? config.teacher;
  if (chosen === undefined)
    throw new ConfigError(`${path} was trained without a teacher. Pass --teacher FILE to choose one to compare with.`);
  const site = tap ?? (file === undefined ? config.tap : undefined);
  try {
    const { teacherMean: mean, teacherStd: std, teacherSize: size } = config;
    const seen = file === undefined ? preprocessingOf({ mean, std, size }) : undefined;
    return await Teacher.load(chosen, { device, ...(site !== undefined && { tap: site }), ...seen });
  } catch (error) {
    if (file !== undefined || !(error instanceof FileError)) throw error;
    throw new ConfigError(
      `The teacher of ${path}, '${chosen}', cannot be loaded again: it was an object of a program, or its file is missing.\nPass --teacher FILE to choose the teacher to compare with.`,
      { cause: error },
    );
  }
}

function save(file: string, content: string): void {
  try {
    writeFileAtomic(file, content);
  } catch (error) {
    throw new FileError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
}
