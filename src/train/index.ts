/** Training runs. */
export { distill, distillTogether, Run, train } from './distill.js';
export { evaluate, evaluateTogether, evaluationBatchSize } from './evaluate.js';
export type { Estimate, Provenance, StallEvent, StepEvent, TrainEvent } from './events.js';

export { type KnownAccuracy, knownAccuracy } from './known-accuracy.js';
export { type EffectiveTrainOptions, type TrainOptions, trainOptions } from './options.js';
export { type Reporter, reported } from './reporter.js';
export { lockFolders } from './run-lock.js';
export { type DistillSetup, resolveReporter, type StudentSetup } from './setup.js';
export { type TeacherRunOptions, teacherOptions } from './targets.js';
export type { TogetherEvent } from './together.js';
export { type FileVerdict, verifyFile } from './verify.js';
