import { appendFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, FileError } from '../../src/errors.js';
import { type LiveServer, serveLive } from '../../src/report/live.js';
import { configOf, endOf, epochOf, linesOf, makeRun, startOf } from './runs.js';

let server: LiveServer;
afterEach(() => server.close());

interface Message {
  event: string;
  data: Record<string, unknown>;
}

/** The messages of the server, one after the other. */
async function* messages(url: string): AsyncGenerator<Message> {
  const { body } = await fetch(`${url}events`);
  let text = '';
  for await (const part of (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    text += part;
    const whole = text.split('\n\n');
    text = whole.pop() ?? '';
    for (const message of whole) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(message) ?? [];
      if (event && data) yield { event, data: JSON.parse(data) };
    }
  }
}

async function until(found: AsyncGenerator<Message>, wanted: (message: Message) => boolean): Promise<Message> {
  for (;;) {
    const { value, done } = await found.next();
    if (done) throw new Error('The server ended before the message came.');
    if (wanted(value)) return value;
  }
}

const statusOf = (url: string, host: string) =>
  new Promise<number | undefined>((done, fail) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on('error', fail)
      .end();
  });

describe('the live page', () => {
  it('follows a folder to its end', async () => {
    const folder = makeRun({ events: linesOf([startOf(configOf()), epochOf(1, 40)]) });
    server = await serveLive({ source: folder });
    expect(await (await fetch(server.url)).text()).toContain('<!doctype html>');
    const found = messages(server.url);
    expect((await until(found, ({ event }) => event === 'state')).data).toMatchObject({ ended: false });
    appendFileSync(join(folder, 'events.jsonl'), linesOf([epochOf(2, 60), endOf(60)]));
    const { data } = await until(found, ({ data }) => data.ended === true);
    expect(data.results).toContainEqual(['best on test (epoch 2), top-1', '60.00 %']);
    expect(data.charts).toContainEqual({
      title: 'Learning rate',
      x: [1, 2],
      series: [{ label: 'learning rate', values: [0.1, 0.05] }],
    });
  });

  it('follows events', async () => {
    const source = new PassThrough({ objectMode: true });
    server = await serveLive({ source });
    const found = messages(server.url);
    source.write(startOf(configOf()));
    source.write({ type: 'step', step: 5, steps: 9, epoch: 1, epochs: 3 });
    expect((await until(found, ({ event }) => event === 'step')).data).toMatchObject({ step: 5, steps: 9 });
    source.end(epochOf(1, 40));
    const { data } = await until(found, ({ data }) => String(data.headline).includes('1 of 3 epochs'));
    expect(data.headline).toContain('srrl: resnet8 from somewhere/teacher.pt');
  });

  it('says what is wrong with the records', async () => {
    const folder = makeRun();
    server = await serveLive({ source: folder });
    const found = messages(server.url);
    appendFileSync(join(folder, 'events.jsonl'), '7\n');
    const { data } = await until(found, ({ data }) => typeof data.problem === 'string');
    expect(data.problem).toContain('events.jsonl, line 6');
  });

  it('is for this machine only', async () => {
    server = await serveLive({ source: makeRun() });
    const { hostname, port } = new URL(server.url);
    expect(hostname).toBe('127.0.0.1');
    const hosts = [`127.0.0.1:${port}`, `localhost:${port}`, `evil.example:${port}`, 'localhost', '127.0.0.1:1'];
    const statuses = await Promise.all(hosts.map((host) => statusOf(`${server.url}events`, host)));
    expect(statuses).toEqual([200, 200, 403, 403, 403]);
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${server.url}config.yaml`)).status).toBe(404);
  });

  it('refuses a port in use and a folder without a run', async () => {
    server = await serveLive({ source: makeRun() });
    const port = Number(new URL(server.url).port);
    await expect(serveLive({ port, source: makeRun() })).rejects.toThrow(ConfigError);
    await expect(serveLive({ source: join(makeRun(), 'nothing') })).rejects.toThrow(FileError);
  });
});
