/** The functions of the addon, as native/*.cc export them. */

/** A value on the native side: slot and generation in one number. */
export type Handle = number;

/** Arguments in the flat form that crosses to C++, see native/convert.h. */
export type Flat = number | bigint | boolean | string | null | undefined | Float64Array;

export type Bytes =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | Uint8ClampedArray;

/** The purpose of a list of gradients, see native/autograd.cc. */
export type GradientUse = 'change' | 'read' | 'fused' | 'fused sparse';

export interface SchemaArgument {
  /** As in the schema, in snake case. */
  name: string;
  /** `Tensor`, `int[2]?`, `ScalarType`, ... */
  type: string;
  keywordOnly: boolean;
  out: boolean;
  written: boolean;
  hasDefault: boolean;
}

export interface Schema {
  /** `aten::add.Tensor` */
  name: string;
  arguments: SchemaArgument[];
  results: { name: string; type: string }[];
}

export interface ScriptTensor {
  name: string;
  shape: number[];
  dtype: number;
}

export interface ScriptSite {
  path: string;
  classes: number;
  width: number;
  convolution: boolean;
  nested: boolean;
}

export interface ScriptTap {
  sites: ScriptSite[];
  classifiers: ScriptSite[];
  obstacle: string;
  training: string[];
  /** Constant leading sizes of views: if the file was traced with a fixed batch, its size is among them. */
  leadingSizes: number[];
  /** Returns [logits, feature, map before the pooling | null]. */
  tapped: Handle | null;
  site?: ScriptSite;
  weight?: Handle;
  bias?: Handle | null;
}

/** A constant, or values of the graph by name; `number` is one that is not a tensor. */
export interface ScriptValue {
  kind:
    | 'none'
    | 'name'
    | 'number'
    | 'names'
    | 'int'
    | 'ints'
    | 'float'
    | 'floats'
    | 'bool'
    | 'bools'
    | 'string'
    | 'device';
  value: null | boolean | number | string | (boolean | number | string | null)[];
}

/** One operator of a program. */
export interface ScriptCall {
  /** `aten::conv2d` */
  operator: string;
  /** Null for arithmetic on numbers, where the operands determine it. */
  overload: string | null;
  inputs: { name: string; value: ScriptValue }[];
  /** Names of its results: a list of names if a result is a list of tensors, null if it is unused. */
  outputs: (string | null | (string | null)[])[];
  /** The source location that errors of the interpreter show. */
  source?: string;
}

/** The trace of graphTrace: operators in order. Constants that are tensors have names, as parameters do. */
export interface RawGraph {
  nodes: {
    op: string;
    overload: string;
    inputs: { name: string; value: ScriptValue }[];
    outputs: ScriptCall['outputs'];
    place: number;
  }[];
  values: { name: string; shape: number[] | null; dtype: number | null }[];
  constants: { name: string; tensor: Handle }[];
  outputs: string[];
}

/** A parameter or buffer: its path in the module and its name in the graph. */
export interface ScriptAttribute {
  path: string;
  value: string;
  tensor: Handle;
  parameter: boolean;
}

export interface ScriptProgram {
  /** Parents first; the path of the first is empty. */
  modules: { path: string; type: string }[];
  attributes: ScriptAttribute[];
  /** The name of the input, the images. */
  input: string;
  nodes: ScriptCall[];
  outputs: string[];
}

export type ScriptResult = Handle | null | ScriptResult[];

/** Settings of torch.backends.cudnn. */
export interface CudnnFlags {
  benchmark: boolean;
  deterministic: boolean;
  allowTf32: boolean;
}

/** Memory that a device's caching allocator holds for this process, in bytes. */
export interface DeviceMemory {
  /** In use by live tensors. */
  allocated: number;
  /** Reserved from the device. */
  reserved: number;
  peakAllocated: number;
  peakReserved: number;
}

/** How a process joins its group, see native/distributed/group.h. */
export interface GroupSetup {
  address: string;
  port: number;
  hostsStore: boolean;
  prefix: string;
  rank: number;
  size: number;
  host: string;
  interface: string;
  backend: string;
  /** Milliseconds. */
  timeout: number;
}

/** What the profiler recorded: events as rows of numbers, see native/profile.cc. */
export interface RawProfile {
  names: string[];
  /** JSON. */
  shapes: string[];
  columns: number;
  events: Float64Array;
  /** Held by the garbage collector. */
  trace: { readonly brand: 'trace' };
}

export interface Native {
  readonly libtorchVersion: string;
  setErrorFactory(make: (kind: string, message: string) => Error): void;

  call(operator: number, ...flat: Flat[]): unknown;
  prepare(operator: number, ...flat: Flat[]): number;
  callPrepared(prepared: number, ...tensors: Handle[]): unknown;
  wrapNumber(value: number | bigint | boolean): Handle;
  resolve(name: string, overload: string): number;
  startFlops(): void;
  readFlops(): Record<string, number>;
  stopFlops(): void;
  schema(operator: number): Schema;
  operatorNames(): string[];

  release(...handles: Handle[]): void;
  releaseAll(handles: Float64Array, bytes: number): void;
  alive(handle: Handle): boolean;
  /** Protects reads of a mapped file that may become shorter; returns -1 if 256 are already protected. */
  watchMapping(tensor: Handle): number;
  /** Whether something was read beyond the end of the shortened file. */
  isTorn(mapping: number): boolean;
  unwatchMapping(mapping: number): void;
  pushScope(): void;
  popScope(escaping: Handle[]): void;
  keep(handle: Handle): void;
  weigh(handles: Float64Array): Float64Array;
  memory(): Record<string, { tensors: number; bytes: number }>;

  shape(tensor: Handle): number[];
  strides(tensor: Handle): number[];
  dim(tensor: Handle): number;
  numel(tensor: Handle): number;
  storageOffset(tensor: Handle): number;
  /** The number of the layout; -1 for a nested tensor. */
  layout(tensor: Handle): number;
  dtype(tensor: Handle): number;
  device(tensor: Handle): string;
  isContiguous(tensor: Handle, memoryFormat: number): boolean;
  sameStorage(a: Handle, b: Handle): boolean;
  setData(tensor: Handle, other: Handle): void;
  tensorList(tensors: Handle[]): Handle;
  fromBytes(data: Bytes, dtype: number, shape: number[], share: boolean): Handle;
  toBytes(tensor: Handle, into: Bytes): void;
  /** Returns a tensor of the same values whose memory layout matches its strides. */
  plain(tensor: Handle): Handle;
  viewBytes(tensor: Handle): ArrayBuffer;

  backward(
    outputs: Handle[],
    gradients: Handle[] | undefined,
    retainGraph: boolean | undefined,
    createGraph: boolean,
    inputs: Handle[],
  ): void;
  grad(
    outputs: Handle[],
    inputs: Handle[],
    gradients: Handle[] | undefined,
    retainGraph: boolean | undefined,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  gradOf(tensor: Handle): Handle | null;
  setGrad(tensor: Handle, gradient: Handle | null): void;
  gradList(list: Handle, use: GradientUse): Handle;
  clearGrads(list: Handle): void;
  haveGrads(list: Handle): boolean[];
  requiresGrad(tensor: Handle): boolean;
  setRequiresGrad(tensor: Handle, on: boolean): void;
  isLeaf(tensor: Handle): boolean;
  gradFn(tensor: Handle): string | null;
  retainGrad(tensor: Handle): void;
  gradEnabled(): boolean;
  setGradEnabled(on: boolean): boolean;
  pushInferenceMode(on: boolean): void;
  popInferenceMode(): void;
  pushAutocast(device: string, on: boolean, dtype: number, cache: boolean): void;
  popAutocast(): void;

  attachBackward(
    inputs: Handle[],
    outputs: Handle[],
    saved: Handle[],
    backward: (gradients: (Handle | null)[], saved: Handle[]) => (Handle | null)[],
  ): void;
  registerHook(tensor: Handle, hook: (gradient: Handle) => Handle | undefined): number;
  removeHook(tensor: Handle, hook: number): void;
  setAnomalyMode(on: boolean, checkNaN: boolean): boolean;

  hasGloo(): boolean;
  distributedInit(setup: GroupSetup): Promise<void>;
  distributedInfo(): { rank: number; size: number; backend: string; host: string; timeout: number } | null;
  distributedAllReduce(tensors: Handle[], operation: string, async: boolean): Promise<void> | undefined;
  distributedBroadcast(tensors: Handle[], source: number, async: boolean): Promise<void> | undefined;
  distributedAllGather(tensor: Handle, async: boolean): Promise<Handle> | Handle;
  distributedBarrier(async: boolean): Promise<void> | undefined;
  distributedReached(step: number): void;
  distributedFail(message: string): Promise<void>;
  distributedAbort(): void;
  distributedDestroy(): Promise<void>;
  meetingOpen(place: { address: string; port: number; hosts: boolean; timeout: number }): Promise<number>;
  meetingSet(key: string): Promise<void>;
  meetingHas(key: string): Promise<boolean>;
  meetingClose(): void;
  makeReducer(
    parameters: Handle[],
    options: { bucketBytes: number; firstBucketBytes: number; findUnused: boolean },
  ): Handle;
  armReducer(reducer: Handle): void;
  finishReducer(reducer: Handle): void;
  reducerTimes(reducer: Handle): { buckets: number; communicated: number; waited: number };
  callAsync(operator: number, ...flat: Flat[]): Promise<unknown>;
  backwardAsync(
    outputs: Handle[],
    gradients: Handle[] | undefined,
    retainGraph: boolean | undefined,
    createGraph: boolean,
  ): Promise<void>;
  sendTensor(tensor: Handle): number;
  receiveTensor(sent: number): Handle;

  devices(): string[];
  synchronize(): void;
  keepFreedMemory(): void;
  deviceMemory(device: string): DeviceMemory;
  freeMemory(device: string): number | undefined;
  resetPeakMemory(device: string): void;
  emptyCache(device: string): void;
  cudnnFlags(): CudnnFlags;
  setCudnnFlags(benchmark: boolean, deterministic: boolean, allowTf32: boolean): void;
  matmulAllowsTf32(): boolean;
  allowMatmulTf32(on: boolean): void;
  setDeterministicAlgorithms(on: boolean, warnOnly: boolean): void;
  eventsTime(device: string): boolean;
  eventCreate(device: string, timing: boolean): Handle;
  eventRecord(event: Handle): void;
  eventWait(event: Handle): void;
  eventQuery(event: Handle): boolean;
  eventSynchronize(event: Handle): void;
  eventElapsed(begin: Handle, end: Handle): number;
  gradientsBegin(device: string): Handle;
  gradientsEnd(gradients: Handle, narrow: boolean): void;
  gradientsDrop(gradients: Handle): void;
  graphAvailable(device: string): boolean;
  graphBegin(device: string, branches: number, pool?: readonly number[]): Handle;
  graphEnd(graph: Handle): void;
  graphAside(graph: Handle, background: boolean): void;
  graphBack(graph: Handle): void;
  graphJoin(graph: Handle): void;
  graphPool(graph: Handle): readonly number[];
  graphReplay(graph: Handle): void;
  kernelSources(): Record<string, string>;
  kernelTarget(device: string): { compiler: string | null; capability: string } | null;
  kernelCompile(files: readonly string[], capability: string): Buffer[];
  kernelInstall(device: string, codes: Buffer[]): void;
  kernelsEnable(on: boolean): boolean;
  kernelVerdicts(): { device: string; kind: string; obstacle: string }[];
  cleanMessage(text: string): string;
  profileActivities(): ('cpu' | 'cuda')[];
  profileStart(cuda: boolean, recordShapes: boolean, profileMemory: boolean): void;
  profileStop(): RawProfile;
  profileSave(trace: RawProfile['trace'], file: string): void;
  rangeBegin(name: string): void;
  rangeEnd(): void;
  buildInformation(): string;
  numThreads(): number;
  setNumThreads(count: number): void;
  manualSeed(seed: bigint): void;
  createGenerator(seed: bigint): Handle;
  /** 0 stands for the CPU's default generator. */
  generatorState(generator: Handle | string): Handle;
  setGeneratorState(generator: Handle | string, state: Handle): void;
  generatorSeed(generator: Handle): bigint;

  scriptLoad(path: string, device: string, keepPrecision: boolean): Handle;
  /** Returns a module whose forward runs the program; an error at a node begins with `#<node number>: `. */
  scriptBuild(program: ScriptProgram): Handle;
  scriptDescribe(module: Handle): {
    type: string;
    modules: { path: string; type: string }[];
    parameters: ScriptTensor[];
    buffers: ScriptTensor[];
  };
  scriptTap(module: Handle, site: number): ScriptTap;
  /** Runs forward on handles instead of tensors; returns arrays for tuples and lists. */
  scriptForward(module: Handle, ...images: Handle[]): ScriptResult;

  /** Returns the bytes of a TorchScript file, with the texts of `extra` as its extra files. */
  scriptBytes(module: Handle, extra: Record<string, string>): Buffer;

  /** Traces the operators that `forward` runs; `place` returns the number of the calling place in the model. */
  graphTrace(
    images: Handle,
    attributes: { path: string; tensor: Handle }[],
    forward: (images: Handle) => Handle,
    place: () => number,
    refuse: (operator: string, place: number) => never,
  ): RawGraph;

  frozenTrace(images: Handle, forward: (images: Handle) => Handle[]): Handle;
  frozenFold(frozen: Handle): Handle;
  frozenNarrow(frozen: Handle, dtype: number): Handle;
  frozenRun(frozen: Handle, images: Handle): (Handle | null)[];
  frozenText(frozen: Handle): string;

  packageLoad(path: string): Handle;
  packageConstants(packaged: Handle): { name: string; tensor: Handle }[];
  packageRun(packaged: Handle, images: Handle): Handle[];
}
