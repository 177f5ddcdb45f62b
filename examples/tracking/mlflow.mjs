/**
 * Logs runs to MLflow by its Python client (pip install mlflow; MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME hold):
 *
 *     srrl distill ... --reporters module:examples/tracking/mlflow.mjs
 */
import { pythonReporter } from './python-reporter.mjs';

export default (run) => pythonReporter('mlflow_log.py', run);
