/** Options are data: zod objects with defaults, ranges and one-line descriptions; flags, files and help come from them. */
import { z } from 'zod';
import { ConfigError } from './errors.js';
import { didYouMean } from './suggest.js';

export { z };

/** `batchSize` -> `batch-size` */
export const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * The values with defaults filled in. Throws ConfigError naming the first wrong option, what is allowed, and for unknown
 * options the nearest names. `where` says where the values come from.
 */
export function validate<Schema extends z.ZodObject>(schema: Schema, values: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    throw new ConfigError(`Unknown option '${key}' in ${where}.${didYouMean(key, Object.keys(schema.shape))}`);
  }
  const path = issue?.path.join('.') ?? '';
  throw new ConfigError(`Option '${path}' in ${where}: ${issue?.message ?? 'not valid'}.`);
}

/**
 * The same options without their defaults: who validates the result can tell what was given. Descriptions name the defaults.
 */
export function withoutDefaults(schema: z.ZodObject): z.ZodObject {
  const shape = Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, option]) => {
    if (!(option instanceof z.ZodDefault)) return [name, option.optional().describe(option.description ?? '')];
    const text = `${option.description ?? ''} (default ${option.def.defaultValue})`;
    return [name, (option.unwrap() as z.ZodType).optional().describe(text)];
  });
  return z.strictObject(Object.fromEntries(shape));
}
