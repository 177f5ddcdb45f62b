/** Finds the options in which the configurations of runs differ. */
import { methodKinds } from '../distill/methods/index.js';
import { z } from '../options.js';
import { teacherOptions, trainOptions } from '../train/index.js';

/** A run's options by path, as in `lr` or `kd.temperature`, with defaults for options that older versions lacked. */
export interface Settings {
  method: string;
  hasTeacher: boolean;
  options: Map<string, unknown>;
}

/** Options that have a column of their own. */
const columns = ['method', 'student', 'teacher', 'seed'];
/** Options that do not change what a run computes. */
const aside = [
  ...['stallWarning', 'stallLimit', 'stepMetrics', 'profile', 'profileSteps'],
  ...['checkpointSteps', 'keepCheckpoints', 'checkCache'],
];
/** The name of a weighted sum contains those of its methods, so it has the options of each. */
const methodNames = methodKinds.map(({ name }) => name);

export function settingsOf(config: Record<string, unknown>): Settings {
  const method = String(config.method ?? '');
  const hasTeacher = config.teacher !== undefined;
  const own = methodKinds.find(({ name }) => name === method);
  const whole = {
    ...defaultsOf(trainOptions),
    ...(hasTeacher && defaultsOf(teacherOptions)),
    ...config,
    ...(own && isGroup(config[method]) && { [method]: { ...defaultsOf(own.options), ...(config[method] as object) } }),
  };
  return { method, hasTeacher, options: new Map(leaves(whole).filter(([path]) => !aside.includes(path))) };
}

/**
 * Returns the options in which runs differ. A missing option is a difference too, unless the method or the missing
 * teacher already implies it.
 */
export function variedOptions(settings: readonly Settings[]): string[] {
  const paths = [...new Set(settings.flatMap(({ options }) => [...options.keys()]))];
  return paths.filter((path) => {
    const values = settings.filter((run) => applies(path, run)).map(({ options }) => canonical(options.get(path)));
    return !columns.includes(path) && new Set(values).size > 1;
  });
}

export const differences = (run: Settings, varied: readonly string[]): string[] =>
  varied.filter((path) => applies(path, run)).map((path) => `${path}=${textOf(run.options.get(path))}`);

/** Returns the values of the varied options that apply to the run. */
export const valuesOf = (run: Settings, varied: readonly string[]): Record<string, string> =>
  Object.fromEntries(varied.filter((path) => applies(path, run)).map((path) => [path, textOf(run.options.get(path))]));

function applies(path: string, { method, hasTeacher, options }: Settings): boolean {
  if (options.has(path)) return true;
  const top = path.split('.')[0] as string;
  if (top === 'tap' || top in teacherOptions.shape) return hasTeacher;
  const ofMethod = methodNames.includes(top) || top.includes('+') || top.startsWith('module:');
  return !ofMethod || top === method;
}

function defaultsOf(schema: z.ZodObject): Record<string, unknown> {
  const options = Object.entries(schema.shape as Record<string, z.ZodType>);
  return Object.fromEntries(
    options.flatMap(([name, option]) => (option instanceof z.ZodDefault ? [[name, option.def.defaultValue]] : [])),
  );
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function leaves(group: Record<string, unknown>, prefix = ''): [string, unknown][] {
  return Object.entries(group).flatMap(([name, value]): [string, unknown][] => {
    const path = `${prefix}${name}`;
    if (value === undefined || value === null) return [];
    return isGroup(value) && Object.keys(value).length > 0 ? leaves(value, `${path}.`) : [[path, value]];
  });
}

/** Returns JSON that does not depend on the order of keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join()}}`;
}

const textOf = (value: unknown): string =>
  value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value);
