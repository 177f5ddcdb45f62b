/** Optimizers and learning-rate schedules, clipping and averaging, as torch.optim and torch.nn.utils. */

export {
  type ClipGradNormOptions,
  clipGradNorm_,
  clipGradsWithNorm_,
  clipGradValue_,
  getTotalNorm,
} from '../tensor/index.js';
export { Adadelta, type AdadeltaOptions } from './adadelta.js';
export { Adafactor, type AdafactorOptions } from './adafactor.js';
export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adam, type AdamOptions } from './adam.js';
export { Adamax, type AdamaxOptions } from './adamax.js';
export { AdamW } from './adamw.js';
export { ASGD, type ASGDOptions } from './asgd.js';
export { AveragedModel } from './averaged-model.js';
export { type Averageable, EMA, type EMAOptions, type EMAState } from './ema.js';
export { GradScaler, type GradScalerOptions, type ScaledOptimizer } from './grad-scaler.js';
export { LBFGS, type LBFGSOptions } from './lbfgs.js';
export { Lion, type LionOptions } from './lion.js';
export { Muon, type MuonOptions } from './muon.js';
export { NAdam, type NAdamOptions } from './nadam.js';
export { Optimizer, type ParameterGroup } from './optimizer.js';
export { RAdam, type RAdamOptions } from './radam.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { Rprop, type RpropOptions } from './rprop.js';
export { ChainedScheduler } from './schedules/chained.js';
export { CosineAnnealingLR } from './schedules/cosine.js';
export { CyclicLR, type CyclicOptions } from './schedules/cyclic.js';
export { ExponentialLR } from './schedules/exponential.js';
export { LambdaLR, type LrLambda, MultiplicativeLR } from './schedules/lambda.js';
export { OneCycleLR, type OneCycleOptions } from './schedules/one-cycle.js';
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from './schedules/plateau.js';
export { PolynomialLR, type PolynomialOptions } from './schedules/polynomial.js';
export { CosineAnnealingWarmRestarts, type RestartOptions } from './schedules/restarts.js';
export { LRScheduler, type Scheduled, type ScheduleState } from './schedules/schedule.js';
export { SequentialLR, type SequentialOptions } from './schedules/sequential.js';
export { MultiStepLR, StepLR } from './schedules/step.js';
export { SWALR, type SWAOptions } from './schedules/swa.js';
export { ConstantLR, type ConstantOptions, LinearLR, type LinearOptions } from './schedules/warm-up.js';
export { SGD, type SGDOptions } from './sgd.js';
export type { OptimizerState } from './state.js';
