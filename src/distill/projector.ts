import type { FeatureShapes, Features } from '../flow.js';
import { Classifier } from '../models/index.js';
import { BatchNorm2d, Conv2d, functional as F, type Linear, Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { pooledTo } from './feature-losses.js';

/**
 * SimKD's projector of maps, [N, C_S, H, W] -> [N, C_T, H, W]: 1x1, 3x3 and 1x1 convolution, each with batch
 * normalization and ReLU.
 */
export class Projector extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;

  /** @param factor the teacher's width divided by the inner width */
  constructor(
    studentChannels: number,
    teacherChannels: number,
    readonly factor = 2,
  ) {
    super();
    const inner = Math.max(1, Math.floor(teacherChannels / factor));
    this.conv1 = new Conv2d(studentChannels, inner, 1, { bias: false });
    this.bn1 = new BatchNorm2d(inner);
    this.conv2 = new Conv2d(inner, inner, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(inner);
    this.conv3 = new Conv2d(inner, teacherChannels, 1, { bias: false });
    this.bn3 = new BatchNorm2d(teacherChannels);
  }

  forward(map: Tensor): Tensor {
    const first = this.bn1.forwardRelu(this.conv1.forward(map));
    const second = this.bn2.forwardRelu(this.conv2.forward(first));
    return this.bn3.forwardRelu(this.conv3.forward(second));
  }
}

/** Averages the student's map to the teacher's size if it is larger, for the projector. `teacher`: [C, H, W]. */
export function projectable(map: Tensor, teacher: readonly number[]): Tensor {
  return (map.shape[2] as number) > (teacher[1] as number) ? pooledTo(map, teacher.slice(1)) : map;
}

/**
 * A student that predicts as SimKD does: its last map goes through the projector, is averaged, and the teacher's
 * classifier reads it. Holds the modules that it is given and does not copy them. State dict: student.*, projector.*,
 * classifier.*.
 */
export class ProjectedClassifier extends Classifier {
  readonly featureChannels: number;
  readonly numClasses: number;

  /** @param teacherMap [C, H, W] of the teacher's last map */
  constructor(
    readonly student: Classifier,
    readonly projector: Projector,
    readonly classifier: Linear,
    readonly teacherMap: NonNullable<FeatureShapes['map']>,
  ) {
    super();
    this.featureChannels = classifier.inFeatures;
    this.numClasses = classifier.outFeatures;
  }

  forwardFeatures(images: Tensor): Features {
    const { map: studentMap, stages } = this.student.forwardFeatures(images);
    const map = this.projector.forward(projectable(studentMap as Tensor, this.teacherMap));
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.classifier.forward(pooled), stages };
  }
}
