import { BatchNorm2d, Conv2d, functional as F, init, Module } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

function convolution(from: number, to: number, size: 1 | 3): Conv2d {
  const conv = new Conv2d(from, to, size, { padding: (size - 1) / 2, bias: false });
  init.kaimingUniform_(conv.weight, { a: 1 });
  return conv;
}

/**
 * One level of ReviewKD's attention-based fusion: mixes a student's map with the map from the deeper level, weighted by
 * two attention maps, and transforms it to the teacher's size.
 */
class FusionLevel extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  /** Absent at the deepest level. */
  readonly attention: Conv2d | null;

  constructor(
    from: number,
    middle: number,
    readonly teacherShape: readonly number[],
    isDeepest: boolean,
  ) {
    super();
    const to = teacherShape[0] as number;
    this.conv1 = convolution(from, middle, 1);
    this.bn1 = new BatchNorm2d(middle);
    this.conv2 = convolution(middle, to, 3);
    this.bn2 = new BatchNorm2d(to);
    this.attention = isDeepest ? null : new Conv2d(2 * middle, 2, 1);
  }

  /** @param deeper `passedOn` of the deeper level */
  forward(map: Tensor, deeper?: Tensor): { output: Tensor; passedOn: Tensor } {
    const own = this.bn1.forward(this.conv1.forward(map));
    const mixed = this.attention && deeper ? this.mix(this.attention, own, deeper) : own;
    const passedOn = F.interpolate(mixed, { size: this.teacherShape.slice(1) });
    return { output: this.bn2.forward(this.conv2.forward(passedOn)), passedOn };
  }

  private mix(attention: Conv2d, own: Tensor, deeper: Tensor): Tensor {
    const other = F.interpolate(deeper, { size: own.shape.slice(2) });
    const weights = attention.forward(torch.cat([own, other], 1)).sigmoid();
    return own.mul(weights.narrow(1, 0, 1)).add(other.mul(weights.narrow(1, 1, 1)));
  }
}

/**
 * The residual learning of ReviewKD: transforms student maps, shallow to deep, to the same number of maps with the
 * teacher's sizes. Its children are the levels, by number.
 */
export class Fusion extends Module {
  readonly #levels: FusionLevel[];

  /** Accepts shapes [C, H, W] of both networks, shallow to deep. */
  constructor(student: readonly (readonly number[])[], teacher: readonly (readonly number[])[]) {
    super();
    const deepest = student.length - 1;
    const middle = Math.min(512, student[deepest]?.[0] as number);
    this.#levels = teacher.map((shape, i) => new FusionLevel(student[i]?.[0] as number, middle, shape, i === deepest));
    for (const [i, level] of this.#levels.entries()) (this as unknown as Record<number, Module>)[i] = level;
  }

  forward(maps: readonly Tensor[]): Tensor[] {
    const outputs: Tensor[] = [];
    let deeper: Tensor | undefined;
    for (const [i, level] of [...this.#levels.entries()].reverse()) {
      const { output, passedOn } = level.forward(maps[i] as Tensor, deeper);
      outputs.unshift(output);
      deeper = passedOn;
    }
    return outputs;
  }
}
