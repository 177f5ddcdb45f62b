/**
 * The export formats. A new one is a file in this folder and a line here; a test walks the
 * folder.
 */
import { existsSync, statSync } from 'node:fs';
import { ConfigError } from '../../errors.js';
import type { Format } from '../format.js';
import type { FileOptions } from '../options.js';
import { folder } from './folder.js';
import { onnx } from './onnx.js';
import { pt2 } from './pt2.js';
import { pth } from './pth.js';
import { safetensors } from './safetensors.js';
import { torchScript } from './torchscript.js';

export const formats: readonly Format[] = [onnx, torchScript, pt2, safetensors, pth, folder];

/** Returns the format of a path, by its ending or as a folder. Throws ConfigError for other endings. */
export function formatFor(path: string): Format {
  const fitting = formats.flatMap((format) =>
    format.endings.filter((ending) => path.endsWith(ending)).map((ending) => ({ format, ending })),
  );
  const [longest] = fitting.sort((a, b) => b.ending.length - a.ending.length);
  const folder = formats.find(({ endings }) => endings.length === 0);
  const isFolder = /[\\/]$/.test(path) || (existsSync(path) && statSync(path).isDirectory());
  const format = isFolder ? folder : longest?.format;
  if (format) return format;
  const known = formats.map(({ endings, summary }) => `  ${endings.join(', ') || 'FOLDER/'}  ${summary}`);
  throw new ConfigError(`${path} says no format that a student is exported in. There are\n${known.join('\n')}`);
}

/** Throws ConfigError if an option was set that the format does not support. */
export function checkTaken(format: Format, path: string, options: FileOptions, defaults: FileOptions): void {
  for (const name of Object.keys(defaults) as (keyof FileOptions)[]) {
    if (options[name] === defaults[name] || format.takes.includes(name)) continue;
    const others = formats.filter(({ takes }) => takes.includes(name)).flatMap(({ endings }) => endings);
    throw new ConfigError(`${path} cannot be written with the option ${name}: it is for ${others.join(', ')}.`);
  }
}
