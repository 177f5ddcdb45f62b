import type { StepMeans } from './events.js';
import type { Trainer } from './trainer.js';

/** Loss and speed of the steps since the last look, from the running sums of the epoch. */
export class StepProgress {
  #before: { count: number; sums: Record<string, number> } = { count: 0, sums: {} };
  #at = performance.now();

  constructor(private readonly trainer: Trainer) {}

  /** Called when an epoch begins, or resumes in its middle. */
  begin(): void {
    const { step, stepsPerEpoch, meter } = this.trainer;
    // Before the first step of an epoch the sums are known without asking the device.
    this.#before = step % stepsPerEpoch === 0 ? { count: 0, sums: {} } : meter.state();
    this.#at = performance.now();
  }

  /**
   * Returns the means since the last call; undefined if no step was counted. Waits for the device, so call it when the
   * host has already waited.
   */
  read(): StepMeans | undefined {
    const { meter, optimizer } = this.trainer;
    const { count, sums } = meter.state();
    const [images, seconds] = [count - this.#before.count, (performance.now() - this.#at) / 1000];
    if (images <= 0) return undefined;
    const means = Object.fromEntries(
      Object.entries(sums).map(([name, sum]) => [name, (sum - (this.#before.sums[name] ?? 0)) / images]),
    );
    this.#before = { count, sums };
    this.#at = performance.now();
    const { loss = Number.NaN, right: _, ...terms } = means;
    return { loss, terms, lr: optimizer.paramGroups[0]?.lr ?? Number.NaN, imagesPerSecond: images / seconds };
  }
}
