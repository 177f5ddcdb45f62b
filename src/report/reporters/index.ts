/** Reporters, one per file. */
export { JsonReporter } from './json.js';
export { LiveReporter } from './live.js';
export { TensorBoardReporter } from './tensorboard.js';
export { TerminalReporter } from './terminal.js';
