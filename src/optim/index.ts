/** Optimizers and learning-rate schedules, as torch.optim. */
export { Adam, type AdamOptions, AdamW } from './adam.js';
export { type ClipOptions, clipGradNorm_, clipGradValue_ } from './clip.js';
export { GradScaler, type GradScalerOptions, type ScaledOptimizer } from './grad-scaler.js';
export { Optimizer, type OptimizerState, type ParameterGroup } from './optimizer.js';
export { CosineAnnealingLR } from './schedules/cosine.js';
export { LRScheduler, type Scheduled } from './schedules/schedule.js';
export { MultiStepLR, StepLR } from './schedules/step.js';
export { SGD, type SGDOptions } from './sgd.js';
