/**
 * `srrl`: knowledge distillation at native speed.
 *
 *     import { distill, SRRL } from 'srrl';
 */
export type { Dataset, DatasetKind, ImageSet } from './data/dataset.js';
export { datasetKinds, openDataset } from './data/datasets/index.js';
export { Loader, type LoaderOptions } from './data/loader.js';
export * from './distill/connector.js';
export * as losses from './distill/losses.js';
export type {
  Method,
  MethodKind,
  Objective,
  Setting,
  StepValues,
  StudentContract,
  TeacherContract,
} from './distill/method.js';
export { CrossEntropy } from './distill/methods/cross-entropy.js';
export { createMethod, methodKinds } from './distill/methods/index.js';
export { SRRL, type SRRLOptions } from './distill/methods/srrl.js';
export { settingFor } from './distill/setting.js';
export {
  type ClassifierSite,
  inspectScript,
  type ScriptDescription,
  Teacher,
  type TeacherOptions,
} from './distill/teacher.js';
export * from './errors.js';
export type * from './flow.js';
export * as models from './models/index.js';
export {
  type DistillSetup,
  distill,
  evaluate,
  loadStudent,
  type StudentSetup,
  type TrainEvent,
  type TrainOptions,
  train,
} from './train/index.js';
