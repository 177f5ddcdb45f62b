import { Event, keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/** A number on a device that the host asks for now and reads later, so that neither waits in between. */
export class LateNumber {
  readonly #device: string;
  #place: { number: Tensor; written: Event } | undefined;

  constructor(device: string) {
    this.#device = device;
  }

  /** Queues a copy of a float32 [] to the host, without waiting. */
  ask(tensor: Tensor): void {
    this.#place ??= scope(() => {
      const number = torch.zeros([], { dtype: 'float32' });
      // CUDA continues without the host only where it writes to pinned memory.
      const isCuda = this.#device.startsWith('cuda');
      return { number: keep(isCuda ? number.pinMemory() : number), written: new Event({ device: this.#device }) };
    });
    const { number, written } = this.#place;
    noGrad(() => number.copy_(tensor, true));
    written.record();
  }

  /** Waits for the last copy and returns it; NaN if nothing was asked for. */
  read(): number {
    if (!this.#place) return Number.NaN;
    this.#place.written.synchronize();
    return Number(this.#place.number.item());
  }

  dispose(): void {
    this.#place?.number.dispose();
    this.#place?.written.dispose();
  }
}
