/** Comparison of student and teacher. */
export { type AnalysisSetup, analyze } from './analyze.js';
export type * from './record.js';
export { type AnalyzedRun, type AnalyzeRunOptions, analyzeRun } from './run.js';
