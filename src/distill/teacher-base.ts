import { TeacherError } from '../errors.js';
import type { Features } from '../flow.js';
import { functional as F } from '../nn/index.js';
import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { Precision } from './fast-form.js';

/** A faster form of a teacher's forward pass. */
export interface FastForm {
  forward(images: Tensor): Features;
  dispose(): void;
}

/** A frozen network: its penultimate feature h_T, and its classifier W_T, b_T. It is never trained. */
export abstract class TeacherBase {
  readonly featureChannels: number;
  readonly numClasses: number;
  /** W_T, [K, C_T]. */
  readonly weight: Tensor;
  /** b_T, [K], or null. */
  readonly bias: Tensor | null;

  /**
   * @param source where it came from, as Teacher.load() takes it
   * @param classifierName path of the module that is its classifier
   */
  constructor(
    readonly source: string,
    readonly classifierName: string,
    weight: Tensor,
    bias: Tensor | null,
  ) {
    this.weight = keep(weight);
    this.bias = bias && keep(bias);
    [this.numClasses, this.featureChannels] = weight.shape as [number, number];
  }

  /** The device of its weights, on which images must be. */
  get device(): string {
    return this.weight.device;
  }

  /** Feature, logits, and maps where it has them, of images [N, C, H, W], without gradient. */
  abstract forward(images: Tensor): Features;

  /** Returns a string that differs between teachers with different features. */
  abstract fingerprint(): string;

  /**
   * A faster form that gives the same up to rounding, for images of this size in any number; `images` [N, C, H, W] with
   * N >= 2 are the test of that. Undefined where there is none. The teacher itself stays as it is, and must outlive the
   * form. In half precision, call it within autocast of that `precision`: the form's errors are then about as large as
   * the teacher's own are there.
   */
  abstract accelerated(images: Tensor, precision?: Precision): FastForm | undefined;

  /** W_T h + b_T for any feature [N, C_T]. The gradient flows through the frozen classifier to `h`. */
  classify(h: Tensor): Tensor {
    return F.linear(h, this.weight, this.bias);
  }

  /** Throws TeacherError if the logits of images are not W_T h_T + b_T. */
  check(images: Tensor): void {
    scope(() => {
      const { pooled, logits } = this.forward(images);
      const own = this.classify(pooled);
      if (own.shape.join() === logits.shape.join() && torch.allclose(own, logits, 1e-3, 1e-4)) return;
      throw new TeacherError(
        `The logits of ${this.source} are not its layer ${this.classifierName} applied to its feature.\nSRRL needs a teacher whose last layer is linear.`,
      );
    });
  }

  dispose(): void {
    this.weight.dispose();
    this.bias?.dispose();
  }
}
