/** Serves a page that follows an active run, to this machine only. */

import { statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkCall, type Kinds } from '../call.js';
import { ConfigError, messageOf } from '../errors.js';
import type { StallEvent, StepEvent } from '../train/index.js';
import { runCharts, stepCharts } from './charts.js';
import { figuresOf } from './figures.js';
import { headline, resultRows } from './html.js';
import { livePage } from './live-page.js';
import { StepHistory } from './live-steps.js';
import { addEvent, type RunRecords, readRun, recordFiles } from './run-records.js';
import { durationText, stallText } from './terminal.js';

const kinds: Kinds<LiveOptions> = { port: 'number', name: 'string', source: 'any' };

/** Options of {@link serveLive}. */
export interface LiveOptions {
  /** Default 0: any free port. */
  port?: number;
  /** The name of the run. Default: the name of the folder, or `run`. */
  name?: string;
  /**
   * A run folder, which is checked twice a second, or the events of a run. If other code consumes the run, write its
   * events to a `PassThrough({ objectMode: true })` and pass that.
   */
  source: string | AsyncIterable<object>;
}

/** A live page that is being served. */
export interface LiveServer {
  url: string;
  close(): Promise<void>;
}

const address = '127.0.0.1';
const lookEvery = 500;
/** Milliseconds between two reports of steps. */
const stepsEvery = 500;
/** The most bytes buffered for a slow reader; beyond, it is disconnected. */
const patience = 8 << 20;

/**
 * Serves the live page on 127.0.0.1, for this machine only: requests with another host name are refused, to prevent DNS
 * rebinding by web pages. Throws FileError if the folder holds no run, ConfigError if the port is not available.
 */
export async function serveLive({ port = 0, name = 'run', source }: LiveOptions): Promise<LiveServer> {
  checkCall('serveLive', [], kinds, arguments);
  const broadcast = new Broadcast();
  const stop = new AbortController();
  const show = (run: RunRecords, problem?: string) => broadcast.send('state', stateOf(run, problem));
  const run: RunRecords = typeof source === 'string' ? readRun(source) : { name, config: {}, epochs: [] };
  show(run);

  const server = createServer((request, response) => answer(request, response, broadcast));
  await new Promise<void>((done, fail) => {
    server.once('error', (error) => fail(new ConfigError(`Port ${port} cannot be used: ${messageOf(error)}.`)));
    server.listen(port, address, done);
  });
  const events = typeof source === 'string' ? undefined : source[Symbol.asyncIterator]();
  if (events) void followEvents(events, run, broadcast, show);
  else void followFolder(source as string, stop.signal, show);

  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/`,
    async close() {
      stop.abort();
      void events?.return?.();
      broadcast.end();
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Returns the state that the page shows. */
const stateOf = (run: RunRecords, problem?: string) => ({
  name: run.name,
  headline: run.start || run.epochs.length > 0 ? headline(run) : 'preparing: reading data and measuring the teacher',
  ended: run.end !== undefined,
  problem: problem ?? null,
  figures: figuresOf(run),
  progress: run.end ? null : epochProgress(run),
  results: resultRows(run),
  charts: runCharts(run),
});

/** Returns the progress of a run in epochs and the remaining time; null before the first epoch. */
function epochProgress({ epochs }: RunRecords): string | null {
  const last = epochs.at(-1);
  if (!last) return null;
  const mean = epochs.reduce((sum, { seconds }) => sum + seconds, 0) / epochs.length;
  const left = durationText(mean * (last.epochs - last.epoch));
  return `epoch ${last.epoch} of ${last.epochs} done, about ${left} left`;
}

/** Sends messages to all listeners; a new listener first receives the latest message of each kind. */
class Broadcast {
  readonly #listeners = new Set<ServerResponse>();
  readonly #latest = new Map<string, string>();

  send(kind: string, value: unknown): void {
    const message = `event: ${kind}\ndata: ${JSON.stringify(value)}\n\n`;
    this.#latest.set(kind, message);
    for (const listener of this.#listeners) {
      if (listener.writableLength > patience) listener.destroy();
      else listener.write(message);
    }
  }

  add(listener: ServerResponse): void {
    this.#listeners.add(listener);
    listener.on('close', () => this.#listeners.delete(listener));
    listener.write([...this.#latest.values()].join('') || ':\n\n');
  }

  end(): void {
    for (const listener of this.#listeners) listener.end();
  }
}

function answer(request: IncomingMessage, response: ServerResponse, broadcast: Broadcast): void {
  const { port } = request.socket.address() as AddressInfo;
  const refuse = (status: number, text: string) =>
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...common }).end(`${text}\n`);
  const hosts = [address, 'localhost'].flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
  if (!hosts.includes(request.headers.host ?? '')) refuse(403, 'This page is for this machine only.');
  else if (request.method !== 'GET') refuse(405, 'Only GET.');
  else if (request.url === '/') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...common }).end(livePage());
  } else if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', ...common });
    broadcast.add(response);
  } else refuse(404, 'There is only / and /events.');
}

const common = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
};

type Show = (run: RunRecords, problem?: string) => void;

async function followFolder(path: string, signal: AbortSignal, show: Show): Promise<void> {
  const stamp = () =>
    Object.values(recordFiles)
      .map((file) => statSync(join(path, file), { throwIfNoEntry: false }))
      .map((found) => `${found?.mtimeMs} ${found?.size}`)
      .join();
  let seen = '';
  let run = readRun(path);
  while (!signal.aborted) {
    const now = stamp();
    if (now !== seen) {
      seen = now;
      try {
        run = readRun(path);
        show(run);
      } catch (error) {
        show(run, messageOf(error));
      }
    }
    await sleep(lookEvery, undefined, { signal }).catch(() => undefined);
  }
}

async function followEvents(
  events: AsyncIterator<object>,
  run: RunRecords,
  broadcast: Broadcast,
  show: Show,
): Promise<void> {
  const history = new StepHistory();
  let told = 0;
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) return;
      const type = 'type' in event ? event.type : undefined;
      if (type === 'step') {
        history.add(event as StepEvent);
        if (performance.now() - told < stepsEvery) continue;
        told = performance.now();
        broadcast.send('step', history.state);
        broadcast.send('steps', stepCharts(history.rows));
      } else if (type === 'stall') {
        broadcast.send('stall', stallText(event as StallEvent));
      } else {
        addEvent(run, event, 'the events of the run');
        if (run.start) run.config = run.start.config;
        show(run);
      }
    }
  } catch (error) {
    show(run, messageOf(error));
  }
}
