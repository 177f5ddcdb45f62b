/** Who hears of a run: one file each. */
export { JsonReporter } from './json.js';
export { LiveReporter } from './live.js';
export { TensorBoardReporter } from './tensorboard.js';
export { TerminalReporter } from './terminal.js';
