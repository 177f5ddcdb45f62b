/** Runs. */
export { type DistillSetup, distill, type StudentSetup, type TrainEvent, train } from './distill.js';
export { evaluate, evaluationBatchSize } from './evaluate.js';
export { type EffectiveTrainOptions, type TrainOptions, trainOptions } from './options.js';
export { loadStudent, type StudentCard } from './run-folder.js';
