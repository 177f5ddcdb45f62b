/** URLs of remote files: brace patterns, and the parts of a URL that may be shown. */
import { distance } from 'fastest-levenshtein';
import { DataError } from '../../errors.js';

/** The URL of a remote file. */
export interface Address {
  /** The URL to request, without user and password. */
  url: string;
  /** The Authorization header, from the URL's user and password. */
  authorization?: string;
  /** The URL without credentials and query, for messages, records and names of cached files. */
  shown: string;
}

const protocols = ['http:', 'https:', 's3:'];
/** The most files that a pattern may expand to. */
const mostFiles = 100_000;

/** Whether a source is a URL, of any protocol, and not a path. */
export const isAddress = (place: string): boolean => /^[a-z][a-z\d+.-]+:\/\//i.test(place);

/** Parses a URL. Throws DataError if it is invalid, or its protocol is not http, https or s3. */
export function addressOf(text: string): Address {
  if (!URL.canParse(text)) throw new DataError(`${withoutSecrets(text)} is not a valid address.`);
  const url = new URL(text);
  if (!protocols.includes(url.protocol))
    throw new DataError(`${withoutSecrets(text)} cannot be read: addresses begin with https://, http:// or s3://.`);
  const { username, password } = url;
  [url.username, url.password, url.hash] = ['', '', ''];
  const shown = new URL(url);
  shown.search = '';
  const user = `${decoded(username)}:${decoded(password)}`;
  return {
    url: url.href,
    shown: shown.href,
    ...(user !== ':' && { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Returns the last part of a URL's path. */
export const nameIn = ({ shown }: Address): string => shown.slice(shown.lastIndexOf('/') + 1);

/** Returns the URL of the file `name` next to another one, with the same credentials and query. */
export function nextTo({ url, shown, ...rest }: Address, name: string): Address {
  const sibling = new URL(url);
  sibling.pathname = sibling.pathname.replace(/[^/]*$/, name);
  return { ...rest, url: sibling.href, shown: shown.replace(/[^/]*$/, name) };
}

/** Expands `{0000..0146}` and `{a,b}` as a shell does, in order, including nested groups. Throws DataError. */
export function expandBraces(pattern: string): string[] {
  const begin = pattern.indexOf('{');
  if (begin < 0) return [pattern];
  const { end, parts } = groupAt(pattern, begin);
  const [head, rests] = [pattern.slice(0, begin), expandBraces(pattern.slice(end + 1))];
  const range = parts.length === 1 ? numbersIn(parts[0] as string) : undefined;
  if (!range && parts.length === 1)
    throw new DataError(
      `${withoutSecrets(pattern)}: {${parts[0]}} is neither a range of numbers, such as {0000..0146}, nor a list, such as {a,b}.`,
    );
  const middles = range ?? parts.flatMap(expandBraces);
  if (middles.length * rests.length > mostFiles)
    throw new DataError(`${withoutSecrets(pattern)} means more than ${mostFiles} files.`);
  return middles.flatMap((middle) => rests.map((rest) => head + middle + rest));
}

/** Returns the comma-separated parts of a group, and where it ends. */
function groupAt(pattern: string, begin: number): { end: number; parts: string[] } {
  const parts: string[] = [];
  let [depth, from] = [0, begin + 1];
  for (let at = begin; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === '{') depth++;
    else if (character === '}') depth--;
    if (depth === 0 || (depth === 1 && character === ',')) {
      parts.push(pattern.slice(from, at));
      from = at + 1;
    }
    if (depth === 0) return { end: at, parts };
  }
  throw new DataError(`${withoutSecrets(pattern)} has a { without its }.`);
}

/** Lists the numbers of `0000..0146`, padded to the same number of digits. */
function numbersIn(text: string): string[] | undefined {
  const [, first = '', last = ''] = text.match(/^(\d{1,15})\.\.(\d{1,15})$/) ?? [];
  if (first === '') return undefined;
  const [from, to] = [Number(first), Number(last)];
  const count = Math.abs(to - from) + 1;
  if (count > mostFiles) throw new DataError(`{${text}} means more than ${mostFiles} files.`);
  const padded = [first, last].some((digits) => digits.length > 1 && digits.startsWith('0'));
  const width = padded ? Math.max(first.length, last.length) : 1;
  return Array.from({ length: count }, (_, i) => String(from < to ? from + i : from - i).padStart(width, '0'));
}

/** Data set options that may be in the query of a URL; all other parameters are for the server. */
export const ownOptions = ['size'];

/**
 * Splits the data set's options off the query of a URL. Rejects a parameter that resembles an option but is none: it
 * would go to the server unnoticed.
 */
export function splitQuery(text: string): { address: string; query: string } {
  const [address = '', ...queries] = text.split('?');
  const parts = queries.join('?').split('&').filter(Boolean);
  const own = parts.filter((part) => ownOptions.includes(nameOf(part)));
  const theirs = parts.filter((part) => !own.includes(part));
  for (const name of theirs.map(nameOf)) {
    const meant = ownOptions.find((option) => distance(name.toLowerCase(), option) <= 1);
    if (meant !== undefined)
      throw new DataError(`Unknown option '${name}' of ${withoutSecrets(text)}. Did you mean ${meant}?`);
  }
  return { address: theirs.length > 0 ? `${address}?${theirs.join('&')}` : address, query: own.join('&') };
}

const nameOf = (part: string): string => part.split('=')[0] as string;

/** Removes user, password and query from all URLs in a text, so that it may be shown and stored. */
export const withoutSecrets = (text: string): string =>
  text.replace(/\b([a-z][a-z\d+.-]+:\/\/)([^\s'"<>]*)/gi, (_all, protocol: string, rest: string) => {
    const [place = '', ...queries] = rest.replace(/#.*/, '').split('?');
    const own = queries
      .join('?')
      .split('&')
      .filter((part) => ownOptions.includes(nameOf(part)));
    return `${protocol}${place.replace(/^[^/]*@/, '')}${own.length > 0 ? `?${own.join('&')}` : ''}`;
  });
