import { distance } from 'fastest-levenshtein';

/**
 * Other names for the same option, from other libraries, older versions of PyTorch and habit, in lower case without
 * separators. Only names that exist where the other name was used are suggested.
 */
const otherNames: Readonly<Record<string, readonly string[]>> = listed({
  lr: 'learningRate learnRate rate baseLr initialLr initLr startLr eta stepSize',
  temperature: 'temp t tau kdT softmaxTemperature',
  kdTemperature: 'kdTemp kdT temp t tau',
  batchSize: 'batch bs minibatch miniBatchSize trainBatchSize perDeviceTrainBatchSize batchsizeTrain b',
  microBatch: 'microBatchSize accumulate gradAccum accumulationSteps gradientAccumulationSteps accumSteps',
  device: 'gpu gpus cuda gpuId deviceId dev place accelerator',
  student: 'model arch architecture network net modelName studentModel modelS studentName backbone',
  students: 'models',
  teacher: 'teacherModel modelT pathT teacherPath teacherFile teacherWeights teacherCheckpoint teacherName pretrained',
  tap: 'classifier head teacherHead classifierName',
  weightDecay: 'wd decay l2 l2Penalty regularization weightDecayRate',
  decayNorms: 'decayBias noBiasDecay bnDecay',
  precision: 'amp fp16 bf16 half dtype mixedPrecision autocast useAmp ampDtype',
  float16: 'fp16 half amp f16',
  bfloat16: 'bf16 amp brainfloat',
  float32: 'fp32 float full single f32',
  out: 'output o outDir outputDir outFolder outputFolder outputPath saveDir saveFolder savePath save logDir dir folder runDir dest',
  data: 'dataset d dataPath dataRoot dataDir datasetName datasetPath dataFolder source',
  epochs: 'numEpochs nEpochs epoch ep maxEpochs trainEpochs totalEpochs numTrainEpochs iterations',
  optimizer: 'optim opt optimiser solver',
  schedule: 'scheduler sched lrSchedule lrScheduler lrPolicy lrDecay lrSchedulerType learningRateSchedule',
  milestones: 'lrSteps lrDecayEpochs decayEpochs stepEpochs lrMilestones lrStepEpochs',
  warmupEpochs: 'warmup warmupSteps warmUp numWarmup lrWarmupEpochs lrWarmup',
  labelSmoothing: 'smoothing ls smooth labelSmooth',
  clipNorm: 'clip gradClip clipGrad clipGradNorm maxNorm maxGradNorm gradientClipping gradientClip gradientClipVal',
  ema: 'emaDecay modelEma weightAveraging averaging modelEmaDecay',
  method: 'distiller loss algorithm distillation distillMethod distill technique criterion',
  seed: 'randomSeed manualSeed rngSeed randomState',
  seeds: 'runs repeats trials numSeeds numRuns',
  validation: 'valSplit valSize val validationSplit holdOut valFraction valRatio',
  earlyStop: 'earlyStopping patience stopAfter earlyStoppingPatience',
  evaluateEvery: 'evalEvery evalFreq evalInterval valInterval testEvery testFreq evalFrequency evaluationInterval',
  checkpointSteps: 'saveFreq saveEvery saveInterval checkpointEvery checkpointInterval saveSteps',
  keepCheckpoints: 'saveTotalLimit keepLast maxCheckpoints maxToKeep',
  teacherCache: 'cache cacheDir featureCache',
  resume: 'continue restart resumeFrom resumeFromCheckpoint',
  overwrite: 'force overwriteOutputDir replace',
  dryRun: 'check test checkOnly',
  trainImages: 'subset limit trainSamples maxTrainSamples numTrain maxSamples',
  timeBudget: 'maxTime timeLimit budget maxMinutes',
  deterministic: 'reproducible cudnnDeterministic',
  augment: 'aug augmentations dataAugmentation noAugmentation',
  augmentation: 'aug augmentations transform transforms',
  threads: 'numThreads jobs j cpus workers numWorkers nproc',
  workers: 'numWorkers jobs j loaderWorkers dataWorkers threads',
  json: 'format jsonOutput asJson',
  ui: 'gui dashboard serve web',
  serve: 'ui web watch live',
  size: 'imageSize imgSize resolution inputSize px pixels width height cropSize imgsz',
  image: 'imageColumn imageKey img images imageField',
  label: 'labelColumn labelKey target labels labelField class',
  colorJitter: 'jitter colorJitter',
  randAugment: 'ra autoAugment randAug',
  randomErasing: 'erasing randomErase reProb erase',
  mixup: 'mixupAlpha mixUp',
  cutmix: 'cutmixAlpha',
  flip: 'hflip horizontalFlip flipLr randomHorizontalFlip mirror',
  pad: 'padding',
  p: 'prob probability chance rate',
  n: 'numOps ops num',
  m: 'magnitude',
  length: 'cutoutLength size side',
  alpha: 'a fm fmWeight lambdaFm featureWeight alphaWeight',
  beta: 'b srWeight lambdaSr',
  ce: 'ceWeight labelWeight gamma clsWeight hardWeight crossEntropyWeight lambdaCe',
  kd: 'kdWeight softWeight klWeight lambdaKd alpha',
  negatives: 'nceK k numNegatives',
  dim: 'featDim embeddingDim featureDim',
  l2: 'mse squared squaredError',
  cosine: 'cos cosineAnnealing cosineAnnealingLr cosineLr',
  step: 'multistep multiStepLr stepLr steps',
  constant: 'none fixed const',
  adamw: 'adam',
  eps: 'epsilon',
  reduction: 'reduce sizeAverage',
  negativeSlope: 'slope alpha',
  a: 'negativeSlope',
  dtype: 'type',
  numClasses: 'classes nClasses',
  inChannels: 'channels',
});

/** Maps each other name to the names it can mean. */
function listed(names: Record<string, string>): Record<string, string[]> {
  const byOther = new Map<string, string[]>();
  for (const [name, others] of Object.entries(names)) {
    for (const other of others.split(' ')) byOther.set(plain(other), [...(byOther.get(plain(other)) ?? []), name]);
  }
  return Object.fromEntries(byOther);
}

/** `learning_rate`, `--learning-rate` and `learningRate` are one name. */
function plain(name: string): string {
  return name.replace(/[-_\s.]+/g, '').toLowerCase();
}

/** Returns up to three known names nearest to a mistyped one, best first; none that is far off. */
export function nearest(name: string, known: Iterable<string>): string[] {
  const ranked = [...known].map((candidate) => ({
    candidate,
    far: distance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  const limit = Math.max(2, Math.floor(name.length / 2));
  return ranked
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Returns the known names that are the same in another spelling or mean the same. */
export function sameName(name: string, known: Iterable<string>): string[] {
  const names = [...known];
  const spelled = names.filter((candidate) => plain(candidate) === plain(name));
  if (spelled.length > 0) return spelled;
  const others = Object.hasOwn(otherNames, plain(name)) ? (otherNames[plain(name)] ?? []) : [];
  return names.filter((candidate) => others.some((other) => plain(other) === plain(candidate))).slice(0, 3);
}

/** Returns the known names that mean the same, or else the nearest ones. */
export function suggestions(name: string, known: Iterable<string>): string[] {
  const same = sameName(name, known);
  return same.length > 0 ? same : nearest(name, known);
}

/** Returns ` Did you mean x or y?`, with the leading space, or an empty string. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const names = suggestions(name, known);
  return names.length > 0 ? ` Did you mean ${names.join(' or ')}?` : '';
}
