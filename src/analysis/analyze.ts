/** Compares teacher and student on a split: predictions, features, calibration. */
import { checkCall, type Kinds } from '../call.js';
import type { Dataset, SplitName } from '../data/dataset.js';
import { seeing } from '../distill/adapted-teacher.js';
import type { Teacher } from '../distill/teacher.js';
import { TeacherBase } from '../distill/teacher-base.js';
import { valueNow } from '../distributed/immediate.js';
import { ConfigError } from '../errors.js';
import type { Classifier } from '../models/index.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { LinearCKA } from './cka.js';
import { Comparison } from './comparison.js';
import { exampleRecords, Verdicts } from './examples.js';
import { kMeans } from './kmeans.js';
import { normalizedMutualInformation } from './nmi.js';
import { type BatchOutputs, Outputs } from './outputs.js';
import { accuracies, Predictions } from './predictions.js';
import type { AnalysisRecord, ClassRecord, ClusterRecord, NetworkRecord } from './record.js';

const kinds: Kinds<AnalysisSetup> = {
  student: 'any',
  teacher: 'any',
  data: 'any',
  split: 'string',
  batchSize: 'number',
  device: 'string',
  signal: 'any',
  onProgress: 'any',
  shared: 'boolean',
};

/** Options of {@link analyze}. */
export interface AnalysisSetup {
  /** A student in evaluation mode. */
  student: Pick<Classifier, 'numClasses' | 'featureChannels' | 'forwardFeatures' | 'training'>;
  teacher: Pick<Teacher, 'numClasses' | 'featureChannels' | 'forward'>;
  data: Dataset;
  /** Default `test`. */
  split?: SplitName;
  /** Images per forward pass. Default 200. */
  batchSize?: number;
  /** Device that student and teacher are on. Default `cpu`; their outputs are compared on the CPU. */
  device?: string;
  signal?: AbortSignal;
  /** Called with the number of processed images. */
  onProgress?: (done: number, count: number) => void;
  /**
   * Whether all processes of the group share the batches. All of them must call analyze(); each returns the result,
   * which is bitwise identical to that of one process. Default false.
   */
  shared?: boolean;
}

const clusterSeed = 0;

/**
 * Runs both networks once over a split, without augmentation, and compares their outputs. Everything is summed batch by
 * batch in float64 except the penultimate features, which are held for k-means: N (C_T + C_S) numbers. Throws
 * ConfigError if student, teacher and data differ in their number of classes, if the student is in training mode, or if
 * the split is missing or has fewer images than classes.
 *
 *     const { student } = loadStudent('runs/a');
 *     const record = await analyze({ student, teacher: Teacher.load('teacher.pt'), data: await openDataset('shapes') });
 *     console.log(record.overall.agreement, record.cka);
 */
export async function analyze(setup: AnalysisSetup): Promise<AnalysisRecord> {
  checkCall('analyze', [], kinds, arguments);
  check(setup);
  const { student, teacher: given, data, split = 'test', batchSize = 200, device = 'cpu', signal, onProgress } = setup;
  const { shared = false } = setup;
  const teacher = given instanceof TeacherBase ? seeing(given, data) : given;
  const numClasses = data.classes.length;
  const run = (images: Tensor) => ({ teacher: teacher.forward(images), student: student.forwardFeatures(images) });
  const widths = [teacher.featureChannels, numClasses, student.featureChannels, numClasses] as const;
  const outputs = new Outputs(data, split, { batchSize, device, shared, run, widths });
  const comparison = new Comparison(numClasses);
  const cka = new LinearCKA();
  const predictions = { teacher: new Predictions(numClasses), student: new Predictions(numClasses) };
  const verdicts = new Verdicts();
  const held: { teacher: Tensor; student: Tensor; labels: Tensor }[] = [];
  try {
    const add = ({ teacher: t, student: s, labels }: BatchOutputs) => {
      comparison.add(s, t, labels);
      cka.add(s.pooled, t.pooled);
      predictions.teacher.add(t.logits, labels);
      predictions.student.add(s.logits, labels);
      verdicts.add(s.logits, t.logits, labels);
      held.push({ teacher: keep(t.pooled.clone()), student: keep(s.pooled.clone()), labels: keep(labels.clone()) });
    };
    for (let round = 0; round < outputs.rounds; round++) {
      signal?.throwIfAborted();
      await outputs.ready(round);
      noGrad(() => scope(() => outputs.ofRound(round).forEach(add)));
      onProgress?.(outputs.doneAfter(round), outputs.count);
      // Lets the event loop show progress and deliver signals.
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Only the first process has all outputs; the others receive its result.
    if (!outputs.isFirst) return valueNow<AnalysisRecord | undefined>(undefined) as AnalysisRecord;
    const records = {
      teacher: networkRecord(predictions.teacher, teacher.featureChannels),
      student: networkRecord(predictions.student, student.featureChannels),
    };
    const likeness = comparison.read();
    const right = { teacher: accuracies(records.teacher.confusion), student: accuracies(records.student.confusion) };
    const classes: ClassRecord[] = likeness.classes.map((values, label) => ({
      name: data.classes[label] as string,
      ...values,
      teacherAccuracy: right.teacher.classes[label] as number | null,
      studentAccuracy: right.student.classes[label] as number | null,
    }));
    const record: AnalysisRecord = {
      data: data.source,
      split,
      overall: likeness.overall,
      cka: cka.read(),
      nmi: clusterRecord(held, numClasses),
      ...records,
      classes,
      examples: await exampleRecords(data, split, verdicts.read(), classes),
    };
    return outputs.isShared ? valueNow(record) : record;
  } finally {
    const { teacher: theirs, student: own } = predictions;
    for (const holder of [outputs, comparison, cka, theirs, own, verdicts]) holder.dispose();
    for (const batch of held) for (const tensor of Object.values(batch)) tensor.dispose();
  }
}

function check({ student, teacher, data, split = 'test' }: AnalysisSetup): void {
  const numClasses = data.classes.length;
  if (student.numClasses !== numClasses || teacher.numClasses !== numClasses) {
    throw new ConfigError(
      `Student, teacher and data must have the same classes: ${student.numClasses}, ${teacher.numClasses}, and ${numClasses} in ${data.source}.`,
    );
  }
  if (student.training) throw new ConfigError('The student is in training mode. Call student.eval() before analyze().');
  const set = data[split];
  if (!set) throw new ConfigError(`${data.source} has no ${split} split. holdOut() makes one of training images.`);
  const { length } = set.labels;
  if (length < numClasses) {
    throw new ConfigError(
      `The ${split} split of ${data.source} has ${length} images, fewer than its ${numClasses} classes: features cannot be clustered.`,
    );
  }
}

function networkRecord(predictions: Predictions, featureChannels: number): NetworkRecord {
  const confusion = predictions.confusion();
  const { overall: accuracy } = accuracies(confusion);
  return { featureChannels, accuracy, confusion, calibration: predictions.calibration() };
}

function clusterRecord(
  held: readonly { teacher: Tensor; student: Tensor; labels: Tensor }[],
  clusters: number,
): ClusterRecord {
  return scope(() => {
    const all = (part: 'teacher' | 'student' | 'labels') =>
      torch.cat(
        held.map((batch) => batch[part]),
        0,
      );
    const [teacher, student, labels] = [
      kMeans(all('teacher'), clusters, { seed: clusterSeed }),
      kMeans(all('student'), clusters, { seed: clusterSeed }),
      all('labels'),
    ];
    return {
      seed: clusterSeed,
      teacher: normalizedMutualInformation(teacher, labels),
      student: normalizedMutualInformation(student, labels),
      between: normalizedMutualInformation(teacher, student),
    };
  });
}
