/** Imports user files whose default export is a method, a data set, a student or a reporter. */
import { register } from 'node:module';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { modulePrefix } from '../distill/own-network.js';
import { ConfigError, messageOf } from '../errors.js';
import { packageRoot } from '../package-root.js';

/** Parses `module:FILE` or `module:FILE:option=value,...`. */
export function fileAndOptions(text: string): { file: string; options: string | undefined } {
  const [, file = '', options] = text.slice(modulePrefix.length).match(/^(.*?)(?::(\w+=.*))?$/s) ?? [];
  return { file: resolve(file), options };
}

/** Imports a file's default export. Wherever the file is, its imports of `srrl` resolve to this package. */
export async function importDefault(text: string, what: string): Promise<unknown> {
  const { file } = fileAndOptions(text);
  const url = pathToFileURL(file).href;
  useThisPackage(url);
  try {
    const { default: content } = (await import(url)) as { default?: unknown };
    if (content === undefined) throw new Error('it has no default export');
    return content;
  } catch (error) {
    const reason =
      (error as { code?: string }).code === 'ERR_UNKNOWN_FILE_EXTENSION' ? typeScriptHelp(file) : undefined;
    throw new ConfigError(`The ${what} ${text} cannot be imported: ${reason ?? messageOf(error)}`, { cause: error });
  }
}

const typeScriptHelp = (file: string): string | undefined =>
  ['.ts', '.mts', '.cts'].includes(extname(file))
    ? `Node.js ${process.versions.node} does not run TypeScript; use 22.18 or newer, or compile the file to JavaScript`
    : undefined;

const withHook = new Set<string>();

function useThisPackage(url: string): void {
  if (withHook.has(url)) return;
  withHook.add(url);
  const folder = url.slice(0, url.lastIndexOf('/') + 1);
  const home = pathToFileURL(join(packageRoot, 'package.json')).href;
  register(`data:text/javascript,${encodeURIComponent(hook(folder, home))}`);
}

/** A resolve hook for all files in the user's folder, since the imported file may import them. */
const hook = (folder: string, home: string): string => `
export const resolve = (specifier, context, next) =>
  /^srrl(\\/|$)/.test(specifier) && context.parentURL?.startsWith(${JSON.stringify(folder)})
    ? next(specifier, { ...context, parentURL: ${JSON.stringify(home)} })
    : next(specifier, context);
`;
