import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { type AnalysisRecord, analyze, type ClassRecord } from '../../analysis/index.js';
import { writeFileAtomic } from '../../atomic.js';
import { openDataset } from '../../data/datasets/index.js';
import { loadStudent } from '../../distill/saved-student.js';
import { Teacher } from '../../distill/teacher.js';
import { ConfigError, FileError, messageOf } from '../../errors.js';
import { validate, z } from '../../options.js';
import { Progress, percent, table } from '../../report/terminal.js';
import { defineCommand } from '../command.js';
import { interruptSignal } from '../run.js';

export const analyzeCommand = defineCommand({
  name: 'analyze',
  summary: 'compare a trained student with its teacher: agreement, features, calibration, classes',
  arguments: [{ syntax: '<run>', description: 'run folder' }],
  options: z.strictObject({
    teacher: z.string().optional().describe('TorchScript file of a classifier; default: that of the run'),
    tap: z.string().optional().describe("module path of the teacher's classifier, where it cannot be found by itself"),
    data: z.string().optional().describe('data set as kind:path; default: that of the run'),
    split: z.enum(['test', 'train']).default('test').describe('images to look at'),
    json: z.boolean().default(false).describe('result as JSON on standard output'),
    out: z.string().default('analysis.json').describe('file for the result, in the run folder'),
  }),
  examples: ['srrl analyze runs/a', 'srrl analyze runs/a --split train --out analysis-train.json --json'],
  async run({ teacher: file, tap, data: source, split, json, out }, [path = '']) {
    const { student, card } = loadStudent(path);
    const config = readRun(path);
    const data = await openDataset(source ?? config.data);
    if (data.channels !== card.inChannels)
      throw new ConfigError(`${path} takes ${card.inChannels}-channel images; ${data.source} has ${data.channels}.`);
    const teacher = await openTeacher(path, config, file, tap);
    student.to({ memoryFormat: 'channelsLast' });
    const progress = new Progress(data[split].labels.length, 'images', { quiet: json });
    let record: AnalysisRecord;
    try {
      const onProgress = (done: number) => progress.update(done);
      record = await analyze({ student, teacher, data, split, signal: interruptSignal(), onProgress });
    } finally {
      progress.stop();
    }
    const result = { run: path, model: card.model, teacherFile: teacher.source, ...record };
    save(resolve(path, out), `${JSON.stringify(result)}\n`);
    console.log(json ? JSON.stringify(result) : `${overallText(record)}\n${classesText(record.classes)}`);
  },
});

interface RunConfig {
  data: string;
  teacher?: string;
  tap?: string;
}

const runConfig = z.object({ data: z.string(), teacher: z.string().optional(), tap: z.string().optional() });

/** What config.yaml of a run says of its data and its teacher. */
function readRun(path: string): RunConfig {
  const file = join(path, 'config.yaml');
  if (!existsSync(file)) throw new FileError(`${file} does not exist: srrl analyze takes the folder of a run.`);
  try {
    return validate(runConfig, parse(readFileSync(file, 'utf8')), 'it') as RunConfig;
  } catch (error) {
    throw new FileError(`${file} is not the configuration of a run: ${messageOf(error).split('\n')[0]}`, {
      cause: error,
    });
  }
}

/** The teacher that is asked for, or else the run's, tapped where the run tapped it. */
async function openTeacher(path: string, config: RunConfig, file?: string, tap?: string): Promise<Teacher> {
  const chosen = file ?? config.teacher;
  if (chosen === undefined)
    throw new ConfigError(`${path} was trained without a teacher. Say with --teacher FILE what to compare it with.`);
  const site = tap ?? (file === undefined ? config.tap : undefined);
  return Teacher.load(chosen, site === undefined ? {} : { tap: site });
}

function save(file: string, content: string): void {
  try {
    writeFileAtomic(file, content);
  } catch (error) {
    throw new FileError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
}

const shareText = (value: number | null) => (value === null ? '-' : percent(100 * value));
const numberText = (value: number | null) => (value === null ? '-' : value.toPrecision(4));

function overallText({ split, overall, cka, nmi, teacher, student }: AnalysisRecord): string {
  const alone = table(
    ['alone', 'teacher', 'student'],
    [
      ['top-1', shareText(teacher.accuracy), shareText(student.accuracy)],
      ['calibration error', shareText(teacher.calibration.error), shareText(student.calibration.error)],
      ['NMI of features and labels', numberText(nmi.teacher), numberText(nmi.student)],
    ],
  );
  const together = table(
    ['student and teacher', `${overall.count} ${split} images`],
    [
      ['same prediction', shareText(overall.agreement)],
      ['KL(teacher || student)', numberText(overall.klDivergence)],
      ['squared error of logits', numberText(overall.logitError)],
      ['squared error of features', overall.featureError === null ? 'other widths' : numberText(overall.featureError)],
      ['linear CKA of features', numberText(cka)],
      ['NMI of features', numberText(nmi.between)],
    ],
  );
  return `${alone}\n${together}`;
}

/** Of many classes, those in which the student is worst and best. */
const shown = 5;

function classesText(classes: ClassRecord[]): string {
  const ranked = classes
    .filter(({ count }) => count > 0)
    .sort((a, b) => (a.studentAccuracy as number) - (b.studentAccuracy as number));
  const row = ({ name, count, teacherAccuracy, studentAccuracy, agreement, klDivergence }: ClassRecord) => [
    name,
    String(count),
    shareText(teacherAccuracy),
    shareText(studentAccuracy),
    shareText(agreement),
    numberText(klDivergence),
  ];
  const columns = ['images', 'teacher', 'student', 'same', 'KL'];
  if (ranked.length <= 2 * shown) return table(['class, worst first', ...columns], ranked.map(row));
  const worst = table([`${shown} worst classes`, ...columns], ranked.slice(0, shown).map(row));
  const best = table([`${shown} best classes`, ...columns], ranked.slice(-shown).reverse().map(row));
  return `${worst}\n${best}`;
}
