/** README.md of a model on the Hugging Face hub: metadata as YAML, and text for people. */
import { availableParallelism, cpus } from 'node:os';
import { stringify } from 'yaml';
import { isInTimm } from './config.js';
import type { HubFacts } from './facts.js';
import { usage } from './usage.js';

/** Sizes of the files in bytes. */
export interface Sizes {
  weights: number;
  network: number;
}

export function modelCard(facts: HubFacts, sizes: Sizes): string {
  const { student } = facts;
  const title = student.teacher ? `${student.model}, distilled` : student.model;
  const sections = [
    ['', opening(facts)],
    ['Data', dataText(facts)],
    ...(student.teacher ? [['Teacher', teacherText(facts)]] : []),
    ...(student.method ? [['Method', methodText(facts)]] : []),
    ...(student.accuracy ? [['Accuracy', accuracyText(facts)]] : []),
    ['Size and latency', sizeText(facts, sizes)],
    ['Use', usage(facts)],
    ['License', licenseText],
  ];
  const body = sections.map(([heading, text]) => (heading ? `## ${heading}\n\n${text}` : text)).join('\n\n');
  return `---\n${stringify(header(facts))}---\n\n# ${title}\n\n${body}\n`;
}

const licenseText =
  'The license of these weights follows from the licenses of the data and of the teacher, which this file does not know. Replace `license: unknown` above.';

function header(facts: HubFacts): object {
  const { student } = facts;
  const dataset = datasetOf(facts);
  const distilled = student.teacher ? ['knowledge-distillation', ...(student.method ? [student.method.name] : [])] : [];
  return {
    license: 'unknown',
    library_name: isInTimm(facts) ? 'timm' : 'onnxruntime',
    pipeline_tag: 'image-classification',
    tags: [...new Set(['image-classification', 'srrl', ...distilled, 'onnx'])],
    ...(dataset && { datasets: [dataset] }),
    metrics: ['accuracy'],
    ...(student.accuracy && dataset && { 'model-index': [{ name: student.model, results: [result(facts, dataset)] }] }),
  };
}

function result({ student: { accuracy } }: HubFacts, dataset: string): object {
  const metric = (name: string, value = 0) => ({ type: 'accuracy', name, value: Number((value / 100).toFixed(4)) });
  return {
    task: { type: 'image-classification', name: 'Image classification' },
    dataset: { type: dataset, name: dataset, ...(accuracy && { split: accuracy.split }) },
    metrics: [metric('top-1 accuracy', accuracy?.top1), metric('top-5 accuracy', accuracy?.top5)],
  };
}

/** Returns the hub's name of a public data set, such as cifar100; undefined for other data. */
function datasetOf({ student: { data } }: HubFacts): string | undefined {
  const [kind = ''] = data.split(':');
  return /^(cifar10|cifar100|mnist|fashion-mnist)$/.test(kind) ? kind.replace('-', '_') : undefined;
}

function opening({ student, card }: HubFacts): string {
  const [channels, height, width] = student.input ?? [];
  const size = `images of ${channels} x ${height} x ${width}`;
  return `A \`${student.model}\` with ${card.parameters.toLocaleString('en')} parameters that classifies ${size} into ${student.numClasses} classes.`;
}

function dataText({ student, classes, preprocessing: { resize, crop, mean, std } }: HubFacts): string {
  const shown = classes.slice(0, 20).join(', ');
  const rest = classes.length > 20 ? `, and ${classes.length - 20} more (config.json lists all)` : '';
  return [
    student.data ? `Trained on \`${student.data}\`. Classes: ${shown}${rest}.` : `Classes: ${shown}${rest}.`,
    `Images are resized (bilinear, antialiased) until they cover ${resize.join(' x ')}, cropped in the middle to ${crop.join(' x ')}, scaled to 0..1, and normalized with mean ${mean.join(', ')} and standard deviation ${std.join(', ')}.`,
  ].join('\n\n');
}

const hashOf = (sha256: string | undefined): string => (sha256 ? ` (SHA-256 \`${sha256}\`)` : '');

const teacherText = ({ student: { teacher } }: HubFacts): string =>
  `\`${teacher?.source}\`${hashOf(teacher?.sha256)}. The teacher is not needed to use this model.`;

function methodText({ student: { method, epoch, version } }: HubFacts): string {
  const options = Object.entries(method?.options ?? {}).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const trained = epoch === undefined ? '' : ` These are the weights after epoch ${epoch}.`;
  const by = version === undefined ? '' : ` Trained with srrl ${version}.`;
  return `\`${method?.name}\`${options.length > 0 ? `: ${options.join(', ')}` : ''}.${trained}${by}`;
}

function accuracyText({ student: { accuracy }, seeds, card: { quantization } }: HubFacts): string {
  if (!accuracy) return '';
  const rows = [
    ['this model', accuracy.top1.toFixed(2), accuracy.top5.toFixed(2)],
    ...(seeds
      ? [
          [
            `${seeds.count} seeds, mean ± standard deviation`,
            `${seeds.top1.mean.toFixed(2)} ± ${seeds.top1.spread.toFixed(2)}`,
            `${seeds.top5.mean.toFixed(2)} ± ${seeds.top5.spread.toFixed(2)}`,
          ],
        ]
      : []),
    ...(quantization ? [['model.onnx in 8 bits', quantization.top1After.toFixed(2), '']] : []),
  ];
  const alone = seeds ? '' : '\n\nOne run: the spread over seeds is not known.';
  const images = `${accuracy.count.toLocaleString('en')} images of the ${accuracy.split} split.`;
  return `${table(['', 'top-1 %', 'top-5 %'], rows)}\n\n${images}${alone}`;
}

function sizeText({ card, verification }: HubFacts, { weights, network }: Sizes): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  const files = table(
    ['file', 'size', 'content'],
    [
      ['model.safetensors', megabytes(weights), 'weights'],
      ['model.onnx', megabytes(network), `the network, ${card.precision}`],
    ],
  );
  if (!verification?.latency) return files;
  const times = verification.latency.map(({ images, milliseconds }) => [String(images), milliseconds.toFixed(2)]);
  const machine = `${availableParallelism()} threads of ${cpus()[0]?.model.trim() ?? 'an unknown CPU'}`;
  return `${files}\n\n${table(['images', 'median ms'], times)}\n\nMeasured with ${verification.runtime} on ${machine} when this folder was written.`;
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
