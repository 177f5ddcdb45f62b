/**
 * Logs runs to Weights & Biases by its Python client (pip install wandb; WANDB_PROJECT and WANDB_MODE hold):
 *
 *     srrl distill ... --reporters module:examples/tracking/wandb.mjs
 */
import { pythonReporter } from './python-reporter.mjs';

export default (run) => pythonReporter('wandb_log.py', run);
