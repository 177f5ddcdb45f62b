import { PassThrough } from 'node:stream';
import type { Reporter, TrainEvent } from '../../train/index.js';
import { type LiveServer, serveLive } from '../live.js';

/** Serves a page on this machine that follows the run until it ends. */
export class LiveReporter implements Reporter {
  readonly name = 'live page';

  private constructor(
    private readonly events: PassThrough,
    private readonly server: LiveServer,
  ) {}

  /** Starts serving, and prints the URL on standard error. `name` is the name of the run on the page. */
  static async serve(name: string): Promise<LiveReporter> {
    const events = new PassThrough({ objectMode: true });
    const server = await serveLive({ name, source: events });
    console.error(`live page of ${name}: ${server.url}`);
    return new LiveReporter(events, server);
  }

  on(event: TrainEvent): void {
    this.events.write(event);
  }

  async close(): Promise<void> {
    this.events.end();
    await this.server.close();
  }
}
