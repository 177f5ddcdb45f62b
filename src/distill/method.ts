/** What a distillation method is to the training loop: trainable parts and named loss terms. */
import { ConfigError } from '../errors.js';
import type { FeatureShapes, Features, Terms } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { functional as F, type Module } from '../nn/index.js';
import type { z } from '../options.js';
import { callOverload, overloadOf, type Tensor } from '../tensor/index.js';

/** What a method may ask of a teacher. */
export interface TeacherContract {
  readonly numClasses: number;
  readonly features: FeatureShapes;
  /** W_T, [K, C_T], frozen. */
  readonly weight: Tensor;
  /** b_T, [K], frozen. */
  readonly bias: Tensor | null;
  /** W_T h + b_T for any feature [N, C_T]. The gradient flows through the frozen classifier to `h`. */
  classify(h: Tensor): Tensor;
}

/** What a method may ask of a student. */
export interface StudentContract {
  readonly numClasses: number;
  readonly features: FeatureShapes;
}

/** What a method is set up for. */
export interface Setting {
  student: StudentContract;
  teacher?: TeacherContract;
  /** The class numbers of the training samples; memory banks are as long. */
  trainLabels: readonly number[] | Uint8Array | Uint16Array | Int32Array;
}

/** One training step's values. */
export interface StepValues {
  student: Features;
  /** Without gradient. Absent for methods that need no teacher. */
  teacher?: Features;
  /** int64 [N]; or float [N, K], probabilities, where images were mixed. */
  labels: Tensor;
  /** Of the cross-entropy with the labels. Default 0. */
  labelSmoothing?: number;
  /** int64 [N], which training samples these are. */
  indices: Tensor;
  /** Counted from 1. */
  epoch: number;
  /** Called with the number of labels that have the largest logit, int64 [], if the loss has computed it. */
  counted?: (logits: Tensor, right: Tensor) => void;
}

/** A method that was set up for one student and one teacher. */
export interface Objective {
  /**
   * What is trained in addition to the student, by name: it goes into optimizer and checkpoint, not into the export.
   */
  modules: Record<string, Module>;
  terms(values: StepValues): Terms;
  /**
   * Whether terms compare the images of a batch with each other, or remember them. Where several processes share a
   * batch, `terms` is then given the features of all of its images, in every process. Default false: each term is a
   * mean over images, of which every process computes its own.
   */
  comparesImages?: boolean;
  /**
   * Where the student predicts through something else than its own classifier: the network that is evaluated and
   * exported.
   */
  deploy?(student: Classifier): Classifier;
  /** Frees what is not in `modules`. */
  dispose?(): void;
}

/**
 * A distillation method. The loop knows of it only this: what to train in addition to the student, and the named terms
 * of the loss.
 */
export interface Method {
  readonly name: string;
  readonly needsTeacher: boolean;
  /** What the method was asked, with its defaults, for the record of the run. */
  readonly options: Record<string, unknown>;
  /**
   * Draws the initial weights of its modules from the default generator. Throws ConfigError where student and teacher
   * do not have what the method compares.
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

/** The teacher of a setting. Throws ConfigError where there is none. */
export function teacherOf({ teacher }: Setting, method: string): TeacherContract {
  if (!teacher) throw new ConfigError(`${method} needs a teacher.`);
  return teacher;
}

/** The teacher's features of a step. Throws ConfigError where there are none. */
export function targetsOf({ teacher }: StepValues, method: string): Features {
  if (!teacher) throw new ConfigError(`${method} needs the teacher on every batch.`);
  return teacher;
}

/**
 * L_CE of some logits with the labels of a step. On a device with own kernels, one launch makes it with its gradient.
 */
export function labelLoss({ labels, labelSmoothing = 0, counted }: StepValues, logits: Tensor): Tensor {
  if (logits.device === 'cpu') return F.crossEntropy(logits, labels, { labelSmoothing });
  const overload = overloadOf('srrl::cross_entropy');
  const [loss, right] = callOverload(overload, [logits, labels, labelSmoothing]) as [Tensor, Tensor];
  counted?.(logits, right);
  return loss;
}

/** Class numbers of a step. Throws ConfigError where images were mixed, so that there is none. */
export function classNumbers({ labels }: StepValues, method: string): Tensor {
  if (labels.ndim === 1) return labels;
  throw new ConfigError(`${method} needs one class per image, and cannot be used with mixup or CutMix.`);
}
