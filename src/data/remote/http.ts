/** Reads byte ranges over HTTP: redirects, timeouts, and the meaning of responses. */
import { messageOf } from '../../errors.js';
import type { Address } from './address.js';
import { signedRequest } from './s3.js';

/** What the server reports about a file; identifies its version. */
export interface Version {
  length: number;
  etag?: string | undefined;
  lastModified?: string | undefined;
}

/** A file on the server. */
export interface Found extends Version {
  /** Whether the server supports range requests. */
  ranges: boolean;
}

/** Why a request failed. */
export class Failure extends Error {
  /**
   * @param again whether the same request may succeed later
   * @param after seconds for which the server asks to wait
   */
  constructor(
    message: string,
    readonly again: boolean,
    readonly after = 0,
    readonly status = 0,
  ) {
    super(message);
  }
}

interface Span {
  begin: number;
  end: number;
}

const mostRedirects = 5;

/** Queries the metadata of a file through its first bytes, because presigned URLs often allow only GET. */
export async function look(address: Address, timeout: number): Promise<Found> {
  const watch = new Watch(timeout);
  try {
    const answer = await ask(address, { begin: 0, end: 512 }, watch);
    void answer.body?.cancel().catch(() => {});
    const { status, headers } = answer;
    const version = {
      etag: headers.get('etag') ?? undefined,
      lastModified: headers.get('last-modified') ?? undefined,
    };
    if (status === 416) return { ...version, length: 0, ranges: true };
    const range = rangeOf(answer);
    const length = range ? range.total : numberIn(headers.get('content-length'));
    if (length === undefined)
      throw new Failure(
        'the server does not say how long the file is (Content-Length), so that a part could not be told from the whole',
        false,
      );
    return { ...version, length, ranges: range !== undefined };
  } catch (error) {
    throw watch.reasonFor(error);
  } finally {
    watch.end();
  }
}

/**
 * Streams a byte range, or the whole file without `span`. Throws Failure if the file is another version, or no byte
 * arrives within `timeout` seconds.
 */
export async function* bytesOf(
  address: Address,
  found: Found,
  span: Span | undefined,
  timeout: number,
): AsyncGenerator<Uint8Array> {
  const watch = new Watch(timeout);
  let body: ReadableStream<Uint8Array> | null = null;
  try {
    const answer = await ask(address, span, watch);
    body = answer.body as ReadableStream<Uint8Array> | null;
    checkVersion(answer, found);
    checkRange(answer, span);
    if (!body) return;
    for await (const chunk of body) {
      watch.restart();
      yield chunk;
      // The caller's processing time does not count toward the timeout.
      watch.restart();
    }
  } catch (error) {
    throw watch.reasonFor(error);
  } finally {
    watch.end();
    await body?.cancel().catch(() => {});
  }
}

/** Sends a request and follows redirects. Throws Failure if the response is an error. */
async function ask(address: Address, span: Span | undefined, watch: Watch): Promise<Response> {
  const plain: Record<string, string> = {
    'accept-encoding': 'identity',
    ...(span && { range: `bytes=${span.begin}-${span.end - 1}` }),
  };
  const { url: place, authorization } = address;
  const signed = place.startsWith('s3:')
    ? await signedRequest(place)
    : { url: place, headers: { ...(authorization !== undefined && { authorization }) } };
  const first = { url: signed.url, headers: { ...signed.headers, ...plain } };
  let { url } = first;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    // Credentials are not sent to other hosts.
    const headers = new URL(url).origin === new URL(first.url).origin ? first.headers : plain;
    const answer = await fetch(url, { headers, redirect: 'manual', signal: watch.signal });
    watch.restart();
    const target = answer.status >= 300 && answer.status < 400 ? answer.headers.get('location') : null;
    if (target === null) return accepted(answer, first.url);
    await answer.body?.cancel().catch(() => {});
    url = redirected(url, target);
  }
  throw new Failure(`the server redirects more than ${mostRedirects} times`, false);
}

function redirected(from: string, place: string): string {
  if (!URL.canParse(place, from)) throw new Failure('the server redirects to an address that is not valid', false);
  const to = new URL(place, from);
  if (!['http:', 'https:'].includes(to.protocol))
    throw new Failure(`the server redirects to ${to.protocol}, where only http and https are followed`, false);
  if (to.protocol === 'http:' && new URL(from).protocol === 'https:')
    throw new Failure('the server redirects from https to http, where others could read along', false);
  return to.href;
}

/** Status codes that may be temporary. */
const passing = [408, 425, 429, 500, 502, 503, 504];

const remedies: Record<number, string> = {
  401: 'Write user and password into the address (https://user:password@host/...), which are neither shown nor recorded, or use presigned addresses',
  403: 'Credentials are missing, wrong or expired: presigned addresses must be made again, s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  404: 'Compare the address with what the server has',
  410: 'Compare the address with what the server has',
};

function accepted(answer: Response, asked: string): Response {
  const { status, statusText, headers } = answer;
  const encoding = headers.get('content-encoding') ?? 'identity';
  // An empty file has no first byte.
  const isEmpty = status === 416 && headers.get('content-range') === 'bytes */0';
  if (status === 200 || status === 206 || isEmpty) {
    if (encoding === 'identity') return answer;
    void answer.body?.cancel().catch(() => {});
    throw new Failure(`the server sends the file packed by ${encoding}, although it was asked not to`, false);
  }
  void answer.body?.cancel().catch(() => {});
  const region = headers.get('x-amz-bucket-region');
  const remedy =
    status === 301 && region !== null ? `The bucket is in ${region}: set AWS_REGION=${region}` : remedies[status];
  const said = `the server ${new URL(asked).host} answers ${status} ${statusText}`.trim();
  throw new Failure(
    remedy === undefined ? said : `${said}. ${remedy}`,
    passing.includes(status),
    secondsIn(headers.get('retry-after')),
    status,
  );
}

/** Parses a Retry-After header: seconds or a date. */
function secondsIn(text: string | null): number {
  if (text === null) return 0;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

const numberIn = (text: string | null): number | undefined =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

/** Returns the range of a partial response; undefined for the whole file. */
function rangeOf({ status, headers }: Response): { begin: number; total: number } | undefined {
  if (status !== 206) return undefined;
  const [, begin, total] = headers.get('content-range')?.match(/^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/) ?? [];
  if (begin === undefined) throw new Failure('the server sends a part and does not say which (Content-Range)', false);
  return { begin: Number(begin), total: Number(total) };
}

function checkRange(answer: Response, span: Span | undefined): void {
  const range = rangeOf(answer);
  if (range && range.begin !== (span?.begin ?? 0))
    throw new Failure(`the server sends byte ${range.begin}, and was asked for byte ${span?.begin ?? 0}`, false);
  if (!range && span && span.begin > 0)
    throw new Failure('the server sends the whole file where a part was asked for', true);
}

/** Removes the mark of a weak ETag, which some servers add when they compress. */
const bare = (etag: string): string => etag.replace(/^W\//, '');

function checkVersion(answer: Response, found: Version): void {
  const { headers } = answer;
  const length = rangeOf(answer)?.total ?? numberIn(headers.get('content-length'));
  const [etag, modified] = [headers.get('etag'), headers.get('last-modified')];
  const changes: [string, unknown, unknown][] = [['length', found.length, length ?? found.length]];
  if (etag !== null && found.etag !== undefined) changes.push(['ETag', bare(found.etag), bare(etag)]);
  else if (modified !== null && found.lastModified !== undefined)
    changes.push(['Last-Modified', found.lastModified, modified]);
  for (const [what, was, is] of changes)
    if (was !== is)
      throw new Failure(
        `it has changed on the server since it was opened (${what} was ${was} and is ${is}). Start again; a run resumes with --resume`,
        false,
      );
}

/** Aborts a request when no byte arrives within the timeout. */
class Watch {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly seconds: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), 1000 * seconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** Converts an error of a request to a Failure. */
  reasonFor(error: unknown): Failure {
    if (error instanceof Failure) return error;
    if (this.signal.aborted) return new Failure(`no byte has come for ${this.seconds} s`, true);
    return failureOf(error);
  }
}

/** TLS and URL errors that a retry will not fix. */
const lasting = /^(ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_INVALID|ERR_SSL_)/;

function failureOf(error: unknown): Failure {
  // fetch() only says "fetch failed"; the reason is its cause, or the first of several causes.
  const cause = (error as { cause?: { errors?: unknown[] } }).cause;
  const inner = cause?.errors?.[0] ?? cause ?? error;
  const code = String((inner as NodeJS.ErrnoException).code ?? '');
  const closed = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(code);
  const text = closed ? 'the connection was closed in the middle' : messageOf(inner);
  return new Failure(text, !lasting.test(code));
}
