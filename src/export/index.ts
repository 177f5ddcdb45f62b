/** Exports students as files for other runtimes. */
export type { ExportCard, QuantizationRecord, Verification } from './card.js';
export { type Exported, exportStudent } from './export.js';
export type { Format, Network, Runtime } from './format.js';
export { formats } from './formats/index.js';
export type { Dim, Graph, GraphNode, Operand, ValueInfo, Weight } from './graph.js';
export { type ExportOptions, exportOptions } from './options.js';
export type { OwnModel } from './source.js';
export { traceGraph } from './trace.js';
