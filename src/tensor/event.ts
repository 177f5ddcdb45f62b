import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Handle, native } from '../native.js';
import { deviceNamed } from './device.js';

/** Options of {@link Event}. */
export interface EventOptions {
  /** Default: the first accelerator of this machine. */
  device?: string;
  /** Whether {@link Event.elapsedTime} works. Default false. */
  enableTiming?: boolean;
}

const kinds: Kinds<EventOptions> = { device: 'string', enableTiming: 'boolean' };

/**
 * A point in the work of a device, as torch.Event. Lives until dispose().
 *
 *     const [begin, end] = [new torch.Event({ enableTiming: true }), new torch.Event({ enableTiming: true })];
 *     begin.record();
 *     work();
 *     end.record();
 *     end.synchronize();
 *     console.log(begin.elapsedTime(end), 'ms');
 */
export class Event {
  readonly device: string;
  readonly #handle: Handle;

  /** Throws ConfigError where there is no such device, or no accelerator; the CPU has no events. */
  constructor(options: EventOptions = {}) {
    checkCall('new torch.Event', [], kinds, arguments);
    const device = options.device ?? native().devices()[1] ?? 'cpu';
    this.device = deviceNamed(device);
    if (this.device === 'cpu')
      throw new ConfigError('An event needs an accelerator, such as cuda:0: the CPU has no events.');
    this.#handle = native().eventCreate(this.device, options.enableTiming ?? false);
    native().keep(this.#handle);
  }

  /** Whether events of a device measure time; those of the CPU do not exist. */
  static timesOn(device: string): boolean {
    return device !== 'cpu' && native().eventsTime(device);
  }

  /** Marks the point behind all that the device's current stream has been asked for. */
  record(): void {
    native().eventRecord(this.#handle);
  }

  /** Lets the current stream wait for the event before it does what it is asked for from now on. */
  wait(): void {
    native().eventWait(this.#handle);
  }

  /** Whether the device has reached it; true for one that was not recorded. */
  query(): boolean {
    return native().eventQuery(this.#handle);
  }

  /** Waits until the device has reached it. */
  synchronize(): void {
    native().eventSynchronize(this.#handle);
  }

  /**
   * Milliseconds on the device from this event to `end`. Throws NativeError where one of them was not recorded, has not
   * been reached, or was made without `enableTiming`.
   */
  elapsedTime(end: Event): number {
    return native().eventElapsed(this.#handle, end.#handle);
  }

  dispose(): void {
    native().release(this.#handle);
  }
}
