/** The interface of distillation methods to the training loop: trainable modules and named loss terms. */
import { ConfigError } from '../errors.js';
import type { FeatureShapes, Features, Terms } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { functional as F, type Module } from '../nn/index.js';
import type { z } from '../options.js';
import { callOverload, overloadOf, type Tensor } from '../tensor/index.js';

/** The part of a teacher that a method may use. */
export interface TeacherContract {
  readonly numClasses: number;
  readonly features: FeatureShapes;
  /** W_T, [K, C_T], frozen. */
  readonly weight: Tensor;
  /** b_T, [K], frozen. */
  readonly bias: Tensor | null;
  /** Returns W_T h + b_T, [N, K], for any feature [N, C_T]. The gradient flows through the frozen classifier to `h`. */
  classify(h: Tensor): Tensor;
}

/** The part of a student that a method may use. */
export interface StudentContract {
  readonly numClasses: number;
  readonly features: FeatureShapes;
}

/** The networks and labels for which a method is set up. */
export interface Setting {
  student: StudentContract;
  teacher?: TeacherContract;
  /** The class numbers of the training samples; memory banks have the same length. */
  trainLabels: readonly number[] | Uint8Array | Uint16Array | Int32Array;
}

/** One training step's values. */
export interface StepValues {
  student: Features;
  /** Without gradient. Absent for methods that need no teacher. */
  teacher?: Features;
  /** int64 [N]; for mixed images, probabilities, float [N, K]. */
  labels: Tensor;
  /** Label smoothing of the cross-entropy. Default 0. */
  labelSmoothing?: number;
  /** Numbers of the training samples, int64 [N]. */
  indices: Tensor;
  /** Counted from 1. */
  epoch: number;
  /** Called with the number of labels that have the largest logit, int64 [], if the loss has computed it. */
  counted?: (logits: Tensor, right: Tensor) => void;
}

/** A method after its setup for one student and one teacher. */
export interface Objective {
  /**
   * Modules that are trained with the student, by name: in the optimizer and checkpoints, but not exported.
   */
  modules: Record<string, Module>;
  terms(values: StepValues): Terms;
  /**
   * Whether terms compare the images of a batch with each other, or remember them. With several processes, `terms` then
   * receives the features of all images of the batch, in every process. Default false: each term is a mean over images,
   * and every process computes it for its own images.
   */
  comparesImages?: boolean;
  /**
   * Returns the network that is evaluated and exported, if the student does not predict with its own classifier.
   */
  deploy?(student: Classifier): Classifier;
  /** Frees tensors outside `modules`. */
  dispose?(): void;
}

/**
 * A distillation method. The training loop knows only the modules that it trains with the student, and the named terms
 * of its loss.
 */
export interface Method {
  readonly name: string;
  readonly needsTeacher: boolean;
  /** The method's options, with defaults filled in, for the record of the run. */
  readonly options: Record<string, unknown>;
  /**
   * Initializes the weights of its modules with the default generator. Throws ConfigError if student or teacher lack
   * features that the method compares.
   */
  setUp(setting: Setting): Objective;
}

/** A method in the registry: one file each in methods/. */
export interface MethodKind {
  name: string;
  summary: string;
  options: z.ZodObject;
  create(options: Record<string, unknown>): Method;
}

/** Lets TypeScript infer the options of a method. */
export const methodKind = <Options extends z.ZodObject>(kind: {
  name: string;
  summary: string;
  options: Options;
  create(options: z.output<Options>): Method;
}): MethodKind => kind as unknown as MethodKind;

/** Returns the teacher of a setting. Throws ConfigError if there is none. */
export function teacherOf({ teacher }: Setting, method: string): TeacherContract {
  if (!teacher) throw new ConfigError(`${method} needs a teacher.`);
  return teacher;
}

/** Returns the teacher's features of a step. Throws ConfigError if there are none. */
export function targetsOf({ teacher }: StepValues, method: string): Features {
  if (!teacher) throw new ConfigError(`${method} needs the teacher on every batch.`);
  return teacher;
}

/**
 * Returns L_CE of logits and labels. On a device with the package's kernels, one launch also computes its gradient.
 */
export function labelLoss({ labels, labelSmoothing = 0, counted }: StepValues, logits: Tensor): Tensor {
  if (logits.device === 'cpu') return F.crossEntropy(logits, labels, { labelSmoothing });
  const overload = overloadOf('srrl::cross_entropy');
  const [loss, right] = callOverload(overload, [logits, labels, labelSmoothing]) as [Tensor, Tensor];
  counted?.(logits, right);
  return loss;
}

/** Returns the class numbers of a step, int64 [N]. Throws ConfigError for mixed images, which have none. */
export function classNumbers({ labels }: StepValues, method: string): Tensor {
  if (labels.ndim === 1) return labels;
  throw new ConfigError(`${method} needs one class per image, and cannot be used with mixup or CutMix.`);
}
