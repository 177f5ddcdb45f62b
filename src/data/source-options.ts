/** Options after the path of a data set, as in `folder:DIR?size=96`. */
import { existsSync } from 'node:fs';
import { validate, z } from '../options.js';
import { isAddress, splitQuery, withoutSecrets } from './remote/address.js';

/** Width and height in pixels at which photos are used. */
export const sizeOption = z.coerce.number().int().min(8).max(4096).default(224).describe('pixels, across and down');

const noOptions = z.strictObject({});

/**
 * Splits a source into its path and options. A question mark in the path of an existing file starts no options; of the
 * query of a URL only our own options are taken. Throws ConfigError.
 */
export function sourceOptions<Schema extends z.ZodObject>(
  kind: string,
  path: string,
  schema: Schema,
): { place: string; options: z.output<Schema> } {
  const where = withoutSecrets(`${kind}:${path}`);
  if (isAddress(path)) {
    const { address, query } = splitQuery(path);
    const given = Object.fromEntries(new URLSearchParams(query));
    return { place: address, options: validate(schema, given, { where, equals: true }) };
  }
  const [, place = '', query = ''] = (!existsSync(path) && path.match(/^(.*?)(?:\?([^/?]*))?$/s)) || [path, path];
  const given = Object.fromEntries(new URLSearchParams(query));
  return { place, options: validate(schema, given, { where, equals: true }) };
}

/** Rejects options for a kind of data set that has none. */
export const withoutOptions = (kind: string, path: string): void => void sourceOptions(kind, path, noOptions);
