/** Example images that a student gets right and wrong, from its worst and best classes. */
import sharp from 'sharp';
import type { Dataset, SplitName } from '../data/dataset.js';
import { takeSamples } from '../data/hold-out.js';
import { Loader } from '../data/loader.js';
import { functional as F } from '../nn/index.js';
import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { worstAndBest } from './ranking.js';
import type { ClassRecord, ExampleRecord, Verdict } from './record.js';

type Judged = Pick<ExampleRecord, 'sample' | 'label' | 'student' | 'teacher'>;

/** Predictions of both networks for each image, held on the device until they are read. */
export class Verdicts {
  readonly #batches: Tensor[] = [];

  /** Adds a batch: logits [N, K] of both, labels int64 [N]. Call it inside a scope. */
  add(student: Tensor, teacher: Tensor, labels: Tensor): void {
    const columns = [student, teacher].flatMap((logits) => {
      const [confidence, predicted] = F.softmax(logits.to('float64'), 1).max(1);
      return [predicted.to('float64'), confidence];
    });
    this.#batches.push(keep(torch.stack([labels.to('float64'), ...columns], 1)));
  }

  read(): Judged[] {
    const rows = this.#batches.flatMap((batch) => batch.tolist() as number[][]);
    return rows.map(([label = 0, s = 0, sureS = 0, t = 0, sureT = 0], sample) => ({
      sample,
      label,
      student: { predicted: s, confidence: sureS },
      teacher: { predicted: t, confidence: sureT },
    }));
  }

  dispose(): void {
    for (const batch of this.#batches) batch.dispose();
  }
}

/** Images shown per class that the student gets right, and as many that it gets wrong. */
const perClass = 3;

/**
 * Returns examples with images for the classes that a report shows; none if the images are neither gray nor RGB.
 */
export async function exampleRecords(
  data: Dataset,
  split: SplitName,
  judged: readonly Judged[],
  classes: readonly ClassRecord[],
): Promise<ExampleRecord[]> {
  if (data.channels !== 1 && data.channels !== 3) return [];
  const { worst, best } = worstAndBest(classes);
  const chosen = [...worst, ...best].flatMap((one) => examplesOf(judged, classes.indexOf(one)));
  const samples = chosen.map(({ sample }) => sample);
  const pictures = await picturesOf(data, split, samples);
  return chosen.map((example, i) => ({ ...example, image: pictures[i] as string }));
}

/**
 * Returns the images with the highest student confidence: confident mistakes tell most. Confidences equal to six
 * decimals count as tied, because later digits depend on the CPU; ties keep the order of the data.
 */
function examplesOf(judged: readonly Judged[], label: number): Judged[] {
  const members = judged.filter((one) => one.label === label);
  const surest = (right: boolean) =>
    members
      .filter(({ student }) => (student.predicted === label) === right)
      .sort((a, b) => confidenceOf(b) - confidenceOf(a) || a.sample - b.sample)
      .slice(0, perClass);
  return [...surest(false), ...surest(true)];
}

const confidenceOf = ({ student }: { student: Verdict }): number => Math.round(student.confidence * 1e6);

/** The images as the networks see them, but without normalization, as data URIs. */
async function picturesOf(data: Dataset, split: SplitName, samples: readonly number[]): Promise<string[]> {
  const set = data[split];
  if (!set || samples.length === 0) return [];
  const { channels, height, width } = data;
  const [mean, std] = [new Array<number>(channels).fill(0), new Array<number>(channels).fill(1)];
  const loader = new Loader({ ...data, mean, std, [split]: takeSamples(set, samples) }, split, { batchSize: 50 });
  const pictures: string[] = [];
  try {
    loader.begin(0);
    for (let step = 0; step < loader.steps; step++) {
      await loader.ready(step);
      const bytes = scope(() => pixelsOf(loader.batch(step).images));
      const size = channels * height * width;
      for (let at = 0; at < bytes.length; at += size)
        pictures.push(await picture(bytes.subarray(at, at + size), { channels: channels as 1 | 3, height, width }));
    }
    return pictures;
  } finally {
    loader.dispose();
  }
}

/** uint8 [N, H, W, C] of float [N, C, H, W] in 0..1. */
function pixelsOf(images: Tensor): Uint8Array {
  const bytes = images.mul(255).round().clamp(0, 255).to('uint8');
  return bytes.permute([0, 2, 3, 1]).contiguous().toTypedArray() as Uint8Array;
}

/** Longest side in pixels; larger images are downscaled, with no visible loss in a report. */
const largest = 96;

async function picture(
  pixels: Uint8Array,
  { channels, height, width }: { channels: 1 | 3; height: number; width: number },
): Promise<string> {
  const image = sharp(pixels, { raw: { channels, height, width } });
  const encoded =
    Math.max(height, width) <= largest
      ? image.webp({ lossless: true })
      : image.resize(largest, largest, { fit: 'inside' }).webp({ quality: 80 });
  return `data:image/webp;base64,${(await encoded.toBuffer()).toString('base64')}`;
}
