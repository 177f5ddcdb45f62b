/**
 * `srrl`: knowledge distillation at native speed.
 *
 *     import { distill, SRRL } from 'srrl';
 */
import './package-root.js';

export {
  type AnalysisRecord,
  type AnalysisSetup,
  type AnalyzedRun,
  type AnalyzeRunOptions,
  analyze,
  analyzeRun,
  type Calibration,
  type CalibrationBin,
  type ClassRecord,
  type ClusterRecord,
  type ExampleRecord,
  type Likeness,
  type NetworkRecord,
  type Verdict,
} from './analysis/index.js';
export type { AugmentOptions } from './data/augment/index.js';
export type {
  Dataset,
  DatasetKind,
  EncodedSet,
  ImageSet,
  Labels,
  MappedSet,
  Split,
  SplitName,
} from './data/dataset.js';
export { datasetKinds, type OpenOptions, openDataset } from './data/datasets/index.js';
export { holdOut } from './data/hold-out.js';
export { Loader, type LoaderOptions } from './data/loader.js';
export type { RemoteOptions, RemoteSettings } from './data/remote/options.js';
export * from './distill/connector.js';
export { defineMethod, type MethodDefinition } from './distill/define-method.js';
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
export { parseMethods } from './distill/method-spec.js';
export { AT, type ATOptions } from './distill/methods/at.js';
export { CRD, type CRDOptions } from './distill/methods/crd.js';
export { CrossEntropy } from './distill/methods/cross-entropy.js';
export { DIST, type DISTOptions } from './distill/methods/dist.js';
export { DKD, type DKDOptions } from './distill/methods/dkd.js';
export { FitNets, type FitNetsOptions } from './distill/methods/fitnets.js';
export { createMethod, methodKinds } from './distill/methods/index.js';
export { KD, type KDOptions } from './distill/methods/kd.js';
export { ReviewKD, type ReviewKDOptions } from './distill/methods/review-kd.js';
export { SimKD, type SimKDOptions } from './distill/methods/simkd.js';
export { SP, type SPOptions } from './distill/methods/sp.js';
export { SRRL, type SRRLOptions } from './distill/methods/srrl.js';
export { ModelTeacher } from './distill/model-teacher.js';
export { PackageTeacher } from './distill/package-teacher.js';
export { ProjectedClassifier, Projector } from './distill/projector.js';
export {
  type LoadStudentOptions,
  loadStudent,
  type MakeStudent,
  readStudentCard,
  type StudentAccuracy,
  type StudentCard,
  type StudentPreprocessing,
  saveStudent,
} from './distill/saved-student.js';
export {
  type ClassifierSite,
  inspectScript,
  type ScriptDescription,
  ScriptTeacher,
} from './distill/script-teacher.js';
export { settingFor } from './distill/setting.js';
export { SumOfMethods } from './distill/sum.js';
export { Teacher, type TeacherOptions } from './distill/teacher.js';
export { type DataParallelOptions, DistributedDataParallel } from './distributed/data-parallel.js';
export * as distributed from './distributed/index.js';
export * from './errors.js';
export {
  type ExportCard,
  type Exported,
  type ExportOptions,
  exportStudent,
  type Graph,
  type GraphNode,
  type OwnModel,
  type QuantizationRecord,
  traceGraph,
  type Verification,
} from './export/index.js';
export type * from './flow.js';
export * as models from './models/index.js';
export {
  type ClassifierOptions,
  type ClassifyOptions,
  type ImageClassifier,
  type ImageInput,
  loadClassifier,
  type Prediction,
  type RawImage,
  type ReadyCard,
} from './predict/index.js';
export * from './report/index.js';
export {
  type DistillSetup,
  distill,
  distillTogether,
  evaluate,
  type FileVerdict,
  type KnownAccuracy,
  knownAccuracy,
  type Provenance,
  type Reporter,
  type StallEvent,
  type StepEvent,
  type StudentSetup,
  type TogetherEvent,
  type TrainEvent,
  type TrainOptions,
  train,
  verifyFile,
} from './train/index.js';
