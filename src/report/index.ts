/** Reports, comparisons and other output for people. */
export {
  type ComparedGroup,
  type ComparedRun,
  type Comparison,
  compareRuns,
  type Significance,
  type Statistic,
} from './compare.js';
export { comparisonPage } from './compare-page.js';
export { comparisonFormats } from './compare-tables.js';
export { reportPage } from './html.js';
export { type LiveOptions, type LiveServer, serveLive } from './live.js';
export { JsonReporter, LiveReporter, TensorBoardReporter, TerminalReporter } from './reporters/index.js';
export type { RunAnalysis } from './run-analysis.js';
export { runFoldersIn } from './run-group.js';
export {
  bestEpoch,
  type EndRecord,
  type RunRecords,
  readRun,
  type StartRecord,
  type TimedEpoch,
} from './run-records.js';
export { writeTensorBoard } from './tensorboard.js';
export { compareFolders, type ReportOptions, writeReport } from './write.js';
