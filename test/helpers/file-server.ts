/** A web server for the files of a folder, which can be made to fail in the ways that servers and networks do. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Asked {
  /** With the query. */
  url: string;
  range?: string | undefined;
  authorization?: string | undefined;
  headers: IncomingMessage['headers'];
}

/** What goes wrong with a request. */
export interface Fault {
  status?: number;
  headers?: Record<string, string | undefined>;
  /** Sends so many bytes of the answer, and then nothing more. */
  stallAfter?: number;
  /** Sends so many bytes of the answer, and then closes the connection. */
  closeAfter?: number;
  /** Milliseconds before the answer. */
  delay?: number;
}

export class FileServer {
  readonly asked: Asked[] = [];
  /** Whether parts are sent where they are asked for. */
  ranges = true;
  /** What goes wrong with a request, the number of earlier ones to the same file given. */
  fault: (asked: Asked, before: number) => Fault | undefined = () => undefined;
  /** Instead of what lies in the folder. */
  readonly contents = new Map<string, Buffer>();
  readonly #server: Server;

  private constructor(private readonly folder: string) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async over(folder: string): Promise<FileServer> {
    const server = new FileServer(folder);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  reset(): void {
    this.asked.length = 0;
    this.ranges = true;
    this.fault = () => undefined;
    this.contents.clear();
  }

  /** How often a file was asked for. */
  count(name: string): number {
    return this.asked.filter(({ url }) => url.split('?')[0]?.endsWith(`/${name}`)).length;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', headers } = request;
    const { range, authorization } = headers;
    const name = decodeURIComponent((url.split('?')[0] ?? '').slice(1));
    const asked: Asked = { url, range, authorization, headers };
    const before = this.count(name);
    this.asked.push(asked);
    const { status, headers: more, stallAfter, closeAfter, delay = 0 } = this.fault(asked, before) ?? {};
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    if (status !== undefined) return void response.writeHead(status, more).end('no');
    const whole = this.#contentOf(name);
    if (!whole) return void response.writeHead(404).end('not found');
    const span = this.ranges ? range?.match(/^bytes=(\d+)-(\d+)$/) : undefined;
    const [begin, end] = span ? [Number(span[1]), Math.min(Number(span[2]) + 1, whole.length)] : [0, whole.length];
    if (begin >= end && whole.length > 0)
      return void response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
    const body = whole.subarray(begin, end);
    const etag = `"${createHash('sha256').update(whole).digest('hex').slice(0, 16)}"`;
    const all = {
      etag,
      'content-length': String(body.length),
      ...(span && { 'content-range': `bytes ${begin}-${end - 1}/${whole.length}` }),
      ...more,
    };
    response.writeHead(span ? 206 : 200, Object.fromEntries(Object.entries(all).filter(([, value]) => value)) as never);
    const cut = stallAfter ?? closeAfter;
    if (cut === undefined || body.length <= cut) return void response.end(body);
    response.write(body.subarray(0, cut), () => {
      if (closeAfter !== undefined) response.destroy();
    });
  }

  #contentOf(name: string): Buffer | undefined {
    const own = this.contents.get(name);
    if (own) return own;
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path) : undefined;
  }
}
