/** Options in YAML files, written by hand or by a run in its folder. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../atomic.js';
import { withoutSecrets } from '../data/remote/address.js';
import { methodText } from '../distill/method-spec.js';
import { SRRL } from '../distill/methods/srrl.js';
import { ConfigError, messageOf } from '../errors.js';
import type { z } from '../options.js';
import { srrlCommand } from '../shell.js';
import { parseYaml } from '../strict-yaml.js';
import { modulePrefix } from '../train/setup.js';

type Values = Record<string, unknown>;

/** The options of a command that makes several runs below one folder. */
const groupFile = 'group.yaml';

/**
 * Returns the options of a command from a file: that of `--config` or, with `--resume`, that of the run in `--out`. A
 * run's own config.yaml groups its method's options; they are converted to the command's form.
 */
export function valuesFromFile(options: z.ZodObject, config: string | undefined, flags: Values): Values {
  const file = config ?? ownConfig(flags);
  return file === undefined ? {} : asOptions(readConfig(file), Object.keys(options.shape), file);
}

/** Returns the file with the options of the run to resume. */
function ownConfig({ resume, out }: Values): string | undefined {
  if (resume !== true || typeof out !== 'string') return undefined;
  return ['config.yaml', groupFile].map((name) => join(out, name)).find((file) => existsSync(file));
}

/** Saves the options of several runs below one folder, so that the folder is enough to resume all of them. */
export function rememberGroup(values: Values): void {
  const { out, resume: _, overwrite = false, dryRun = false, json: _json, ui: _ui, ...kept } = values;
  const several = Number(values.seeds ?? 1) > 1 || values.students !== undefined;
  if (typeof out !== 'string' || !several || dryRun || (!overwrite && holdsRuns(out))) return;
  mkdirSync(out, { recursive: true });
  const data = typeof kept.data === 'string' ? { data: withoutSecrets(kept.data) } : {};
  writeFileAtomic(join(out, groupFile), stringify({ ...kept, ...data }));
}

const holdsRuns = (out: string): boolean =>
  existsSync(out) && readdirSync(out).some((name) => existsSync(join(out, name, 'config.yaml')));

function asOptions(values: Values, names: readonly string[], file: string): Values {
  const { method } = values;
  if (typeof method !== 'string' || !Object.hasOwn(values, method)) return values;
  const { method: _, [method]: options, ...rest } = values;
  if (!names.includes('method')) {
    if (method === 'ce') return rest;
    throw new ConfigError(
      `${file} is of a run with the method ${method}: use ${srrlCommand('distill', '--config', file)}`,
    );
  }
  // SRRL's options have flags of their own, each of which can override the file.
  if (method === new SRRL().name) return { ...rest, method, ...(options as Values) };
  if (method.startsWith(modulePrefix)) return { ...rest, method };
  return { ...rest, method: methodText(method, (options ?? {}) as Values) };
}

/** Reads the options of a file; `extends` names a file, relative to it, for the options that it does not set. */
export function readConfig(file: string, from: string[] = []): Values {
  if (from.includes(file))
    throw new ConfigError(`${[...from, file].join(' extends ')}: these files extend each other in a circle.`);
  let values: unknown;
  try {
    values = parseYaml(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`--config ${file} cannot be read: ${messageOf(error).split('\n')[0]}`, { cause: error });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new ConfigError(`--config ${file} holds no options.`);
  const { extends: base, ...own } = values as Values;
  if (base === undefined) return own;
  if (typeof base !== 'string') throw new ConfigError(`extends in ${file} must be the path of a file.`);
  return { ...readConfig(join(dirname(file), base), [...from, file]), ...own };
}
