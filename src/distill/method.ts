/** What a distillation method is to the training loop: trainable parts and named loss terms. */
import type { StudentForward, TeacherForward, Terms } from '../flow.js';
import type { Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** What a method may ask of a teacher. */
export interface TeacherContract {
  /** C_T */
  readonly featureChannels: number;
  readonly numClasses: number;
  /** W_T h + b_T for any feature [N, C_T]. The classifier is frozen; the gradient flows through it to `h`. */
  classify(h: Tensor): Tensor;
}

export interface StudentContract {
  /** C_S */
  readonly featureChannels: number;
  readonly numClasses: number;
}

/** One training step's values. */
export interface StepValues {
  student: StudentForward;
  /** Absent for methods that need no teacher. */
  teacher?: TeacherForward;
  /** int64 [N] */
  labels: Tensor;
}

/** A method that was set up for one student and one teacher. */
export interface Objective {
  /** What is trained besides the student, by name: it goes into optimizer and checkpoint, not into the export. */
  modules: Record<string, Module>;
  terms(values: StepValues): Terms;
}

export interface Method {
  readonly name: string;
  readonly needsTeacher: boolean;
  /** Draws the initial weights of its modules from the default generator. */
  setUp(student: StudentContract, teacher?: TeacherContract): Objective;
}
