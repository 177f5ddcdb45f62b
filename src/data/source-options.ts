/** Options behind the path of a data set, as in `folder:DIR?size=96`. */
import { existsSync } from 'node:fs';
import { validate, z } from '../options.js';
import { isAddress, splitQuery, withoutSecrets } from './remote/address.js';

/** Pixels across and down at which photos are seen. */
export const sizeOption = z.coerce.number().int().min(8).max(4096).default(224).describe('pixels, across and down');

const noOptions = z.strictObject({});

/**
 * The path alone, and its options. A question mark that belongs to the path of something that exists begins none, and
 * the query of an address is the server's but for options of ours. Throws ConfigError.
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

/** Refuses options of a kind of data that has none. */
export const withoutOptions = (kind: string, path: string): void => void sourceOptions(kind, path, noOptions);
