import { type AnalysisRecord, type AnalyzedRun, analyzeRun, type ClassRecord } from '../../analysis/index.js';
import { worstAndBest } from '../../analysis/ranking.js';
import { deviceFor } from '../../distill/run-device.js';
import { z } from '../../options.js';
import { runFoldersIn } from '../../report/index.js';
import { meanAndSpread, Progress, percent, table } from '../../report/terminal.js';
import { defineCommand } from '../command.js';
import { ownDevice, processes, speaks, withRanks } from '../ranks.js';
import { interruptSignal } from '../run.js';

const analyzeOptions = z.strictObject({
  teacher: z.string().optional().describe('file of torch.export.save or TorchScript; default: that of the run'),
  tap: z.string().optional().describe("module path of the teacher's classifier, if it is not found automatically"),
  data: z.string().optional().describe('data set as kind:path; default: that of the run'),
  split: z
    .enum(['test', 'validation', 'train'])
    .default('test')
    .describe('images to analyze; validation: those that the run held out'),
  device: z.string().optional().describe('cpu, cuda or cuda:1; default: the device of the run, or else the CPU'),
  json: z.boolean().default(false).describe('print the result as JSON, without the example images'),
  out: z.string().default('analysis.json').describe('file for the result, in the run folder'),
});
type AnalyzeOptions = z.output<typeof analyzeOptions>;

export const analyzeCommand = defineCommand({
  name: 'analyze',
  summary: 'compare a trained student with its teacher: agreement, features, calibration, classes',
  arguments: [{ syntax: '<run>', description: 'run folder, or a folder of several runs' }],
  options: analyzeOptions,
  examples: ['srrl analyze runs/a', 'srrl analyze runs/a --split validation --out analysis-validation.json --json'],
  run: (options, [path = '']) => withRanks('cpu', () => analyzeAndShow(path, options)),
});

async function analyzeAndShow(path: string, options: AnalyzeOptions): Promise<void> {
  const { teacher, tap, data, split, device: asked, json, out } = options;
  const given = Object.entries({ teacher, tap, data }).filter(([, value]) => value !== undefined);
  const shared = processes() > 1;
  const signal = interruptSignal();
  const analyzed = async (folder: string): Promise<AnalyzedRun> => {
    const { device, notice } = deviceFor(folder, ownDevice(asked));
    if (notice && speaks()) console.error(notice);
    let progress: Progress | undefined;
    const onProgress = (done: number, count: number) => {
      progress ??= new Progress(count, 'images', { quiet: json || !speaks() });
      progress.update(done);
    };
    try {
      return await analyzeRun(folder, { ...Object.fromEntries(given), split, out, device, signal, onProgress, shared });
    } finally {
      progress?.stop();
    }
  };
  const folders = runFoldersIn(path);
  const results: AnalyzedRun[] = [];
  for (const folder of folders) {
    const result = await analyzed(folder);
    results.push(result);
    if (!speaks()) continue;
    const { examples: _images, ...numbers } = result;
    if (folders.length > 1 && !json) console.log(`${folder}:`);
    console.log(json ? JSON.stringify(numbers) : `${overallText(result)}\n${classesText(result.classes)}`);
  }
  if (results.length > 1 && !json && speaks()) console.log(spreadText(results));
}

/** Returns mean and spread over the runs of a folder as text. */
function spreadText(results: readonly AnalyzedRun[]): string {
  const row = (name: string, of: (result: AnalyzedRun) => number | null, scale = 1): string[] => {
    const values = results.map(of).filter((value) => value !== null);
    if (values.length === 0) return [name, '-'];
    const { mean, spread } = meanAndSpread(values.map((value) => scale * value));
    return [
      name,
      scale === 100 ? `${percent(mean)} ± ${spread.toFixed(2)}` : `${mean.toPrecision(4)} ± ${spread.toPrecision(2)}`,
    ];
  };
  return table(
    [`${results.length} runs`, 'mean ± standard deviation'],
    [
      row('top-1 of the student', ({ student }) => student.accuracy, 100),
      row('calibration error of the student', ({ student }) => student.calibration.error, 100),
      row('same prediction as the teacher', ({ overall }) => overall.agreement, 100),
      row('KL(teacher || student)', ({ overall }) => overall.klDivergence),
      row('linear CKA of features', ({ cka }) => cka),
      row('NMI of features and labels', ({ nmi }) => nmi.student),
    ],
  );
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
      [
        'squared error of features',
        overall.featureError === null ? 'different widths' : numberText(overall.featureError),
      ],
      ['linear CKA of features', numberText(cka)],
      ['NMI of features', numberText(nmi.between)],
    ],
  );
  return `${alone}\n${together}`;
}

/** With many classes, how many of the worst and best are shown. */
const shown = 5;

function classesText(classes: ClassRecord[]): string {
  const { worst, best } = worstAndBest(classes, shown);
  const row = ({ name, count, teacherAccuracy, studentAccuracy, agreement, klDivergence }: ClassRecord) => [
    name,
    String(count),
    shareText(teacherAccuracy),
    shareText(studentAccuracy),
    shareText(agreement),
    numberText(klDivergence),
  ];
  const columns = ['images', 'teacher', 'student', 'same', 'KL'];
  if (best.length === 0) return table(['class, worst first', ...columns], worst.map(row));
  return `${table([`${shown} worst classes`, ...columns], worst.map(row))}\n${table([`${shown} best classes`, ...columns], best.map(row))}`;
}
