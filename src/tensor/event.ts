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
 * A marker in the work queue of a device, as torch.Event. Lives until dispose().
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

  /** Throws ConfigError if there is no such device, or no accelerator; the CPU has no events. */
  constructor(options: EventOptions = {}) {
    checkCall('new torch.Event', [], kinds, arguments);
    const device = options.device ?? native().devices()[1] ?? 'cpu';
    this.device = deviceNamed(device);
    if (this.device === 'cpu')
      throw new ConfigError('An event needs an accelerator, such as cuda:0: the CPU has no events.');
    this.#handle = native().eventCreate(this.device, options.enableTiming ?? false);
    native().keep(this.#handle);
  }

  /** Whether events of a device can measure time; false for the CPU, which has no events. */
  static timesOn(device: string): boolean {
    return device !== 'cpu' && native().eventsTime(device);
  }

  /** Records the event after all work queued so far on the device's current stream. */
  record(): void {
    native().eventRecord(this.#handle);
  }

  /** Makes all later work of the current stream wait for the event. */
  wait(): void {
    native().eventWait(this.#handle);
  }

  /** Whether the device has reached the event; true if it was not recorded. */
  query(): boolean {
    return native().eventQuery(this.#handle);
  }

  /** Waits until the device has reached the event. */
  synchronize(): void {
    native().eventSynchronize(this.#handle);
  }

  /**
   * Milliseconds on the device from this event to `end`. Throws NativeError if one of them was not recorded, has not
   * been reached, or was made without `enableTiming`.
   */
  elapsedTime(end: Event): number {
    return native().eventElapsed(this.#handle, end.#handle);
  }

  dispose(): void {
    native().release(this.#handle);
  }
}
