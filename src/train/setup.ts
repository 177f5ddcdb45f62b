/** The setup of a run, and how its names are resolved to objects. */
import type { Dataset } from '../data/dataset.js';
import { checkStatistics } from '../distill/adapted-teacher.js';
import type { Method, MethodKind } from '../distill/method.js';
import { parseMethods, parseOptions } from '../distill/method-spec.js';
import { modulePrefix } from '../distill/own-network.js';
import type { Teacher } from '../distill/teacher.js';
import { ConfigError } from '../errors.js';
import { type Classifier, create, type ModelOptions } from '../models/index.js';
import type { KnownAccuracy } from './known-accuracy.js';
import type { TrainOptions } from './options.js';
import type { Reporter } from './reporter.js';
import type { TeacherRunOptions } from './targets.js';
import { fileAndOptions, importDefault } from './user-module.js';

export { modulePrefix } from '../distill/own-network.js';

/** The argument of {@link train}: a student, data, and {@link TrainOptions}. */
export interface StudentSetup extends TrainOptions {
  /**
   * The name of a model in the registry, your own network, or `module:FILE`, whose default export creates one from
   * {@link ModelOptions}.
   */
  student: string | Classifier;
  /** A data set, `kind:path`, or `module:FILE`, whose default export is a data set or a function that returns one. */
  data: string | Dataset;
  /** Folder for configuration, metrics, checkpoints and weights; nothing is written without one. */
  out?: string;
  /** Replaces an existing run in `out`. Default false. */
  overwrite?: boolean;
  /** Resumes from the newest checkpoint in `out`, or begins if there is none. Default false. */
  resume?: boolean;
  /** Ends before the first step, after all checks and measurements. Default false. */
  dryRun?: boolean;
  /** Receivers of every event, in the caller's thread. */
  reporters?: readonly Reporter[];
  signal?: AbortSignal;
}

/** The argument of {@link distill}: a student, a teacher, data, a method, and {@link TrainOptions}. */
export interface DistillSetup extends StudentSetup, TeacherRunOptions {
  /** A teacher, or a source that Teacher.load() accepts. */
  teacher: string | Teacher;
  /** Path of the teacher's classifier, if it is not found automatically. */
  tap?: string;
  /**
   * The teacher's accuracy from an earlier run, which {@link knownAccuracy} reads from its `start` event. Used if
   * teacher and data are the same.
   */
  teacherAccuracy?: KnownAccuracy;
  /**
   * A method, a string such as `srrl:alpha=10+kd`, or `module:FILE`, whose default export is a method or the result of
   * defineMethod(). Default: SRRL with alpha = beta = 1.
   */
  method?: string | Method;
}

/** Returns whether a part of a setup is a string or absent, so that another thread can create the object. */
export const isNamed = (value: unknown): boolean => value === undefined || typeof value === 'string';

/** Returns the data set with another normalization. Throws ConfigError if mean or std do not fit its channels. */
export function normalized(
  data: Dataset,
  { mean, std }: { mean?: number[] | undefined; std?: number[] | undefined },
): Dataset {
  if (!mean && !std) return data;
  checkStatistics({ ...(mean && { mean }), ...(std && { std }) }, data);
  return { ...data, mean: mean ?? data.mean, std: std ?? data.std };
}

export async function resolveStudent(
  student: string | Classifier,
  options: Required<ModelOptions>,
): Promise<Classifier> {
  if (typeof student !== 'string') return student;
  if (!student.startsWith(modulePrefix)) return create(student, options);
  const make = await importDefault(student, 'student');
  if (typeof make !== 'function')
    throw new ConfigError(`The default export of ${student} must be a function that makes a Classifier.`);
  return make(options) as Classifier;
}

/** Loads a reporter from `module:FILE`, whose default export is one or a function of the run that returns one. */
export async function resolveReporter(text: string, run: { name: string }): Promise<Reporter> {
  const content = await importDefault(text, 'reporter');
  const reporter = typeof content === 'function' ? await content(run) : content;
  if (typeof (reporter as Partial<Reporter> | undefined)?.on !== 'function')
    throw new ConfigError(`The default export of ${text} must be a reporter, or a function that returns one.`);
  return reporter as Reporter;
}

export async function resolveMethod(method: string | Method): Promise<Method> {
  if (typeof method !== 'string') return method;
  if (!method.startsWith(modulePrefix)) return parseMethods(method);
  const content = (await importDefault(method, 'method')) as Partial<Method & MethodKind>;
  const { options } = fileAndOptions(method);
  if (typeof content.create === 'function') return content.create(options ? parseOptions(options, method) : {});
  if (typeof content.setUp !== 'function')
    throw new ConfigError(`The default export of ${method} is not a method: export what defineMethod() returns.`);
  if (options !== undefined)
    throw new ConfigError(`The method ${method} takes no options here: export what defineMethod() returns.`);
  return content as Method;
}
