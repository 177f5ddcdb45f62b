/** One pass over the training images and through the teacher, shared by trainers that are at the same step. */
import type { Loader } from '../data/loader.js';
import type { Batch, Features } from '../flow.js';
import { keep, scope, type Tensor } from '../tensor/index.js';
import { CompanySteps } from './company-steps.js';
import type { Targets } from './targets.js';

/** The source of a trainer's batches. */
export type BatchSource = Pick<
  Loader,
  | 'steps'
  | 'count'
  | 'split'
  | 'begin'
  | 'ready'
  | 'waitsFor'
  | 'sizeOf'
  | 'beginOf'
  | 'wholeSizeOf'
  | 'batch'
  | 'dispose'
> &
  // Absent for shared batches, for which SharedPass.sources has them.
  Partial<Pick<Loader, 'onDevice' | 'drawAhead' | 'roundImages'>>;

/** Makes each batch and its targets once, and keeps them until the next batch is requested. */
export class SharedPass {
  /** Steps that a device does for all trainers in one graph. */
  readonly steps = new CompanySteps();
  private loader: Loader | undefined;
  private targets: Targets | undefined;
  private loaderEpoch = -1;
  private held: { epoch: number; step: number; batch: Batch } | undefined;
  private readonly features = new Map<string, Features>();

  /** Returns the batches for one more trainer; the first trainer's loader serves all. */
  batches(open: () => Loader): BatchSource {
    this.loader ??= open();
    const loader = this.loader;
    const holds = (epoch: number, step: number) => this.held?.epoch === epoch && this.held.step === step;
    const goTo = (epoch: number) => {
      if (epoch !== this.loaderEpoch) loader.begin(epoch);
      this.loaderEpoch = epoch;
    };
    let epoch = 0;
    return {
      steps: loader.steps,
      count: loader.count,
      split: loader.split,
      begin: (next) => {
        epoch = next;
      },
      ready: async (step) => {
        if (holds(epoch, step)) return;
        goTo(epoch);
        await loader.ready(step);
      },
      waitsFor: (step) => loader.waitsFor(step),
      sizeOf: (step) => loader.sizeOf(step),
      beginOf: (step) => loader.beginOf(step),
      wholeSizeOf: (step) => loader.wholeSizeOf(step),
      batch: (step) => {
        if (!holds(epoch, step)) {
          goTo(epoch);
          this.giveBack();
          this.held = { epoch, step, batch: keptBatch(() => loader.batch(step)) };
        }
        return (this.held as { batch: Batch }).batch;
      },
      dispose: () => {},
    };
  }

  /** The loader and the targets of all trainers. */
  get sources(): { loader: Pick<Loader, 'onDevice'>; targets: Targets | undefined } {
    return { loader: this.loader as Loader, targets: this.targets };
  }

  /** Does the next step of all waiting trainers, if a device can do it in one graph. */
  step(): void {
    if (this.steps.step()) this.giveBack();
  }

  /** Returns the targets for one more trainer; the first trainer's serve all. */
  targetsOf(open: () => Targets): Targets {
    this.targets ??= open();
    const { targets } = this;
    return {
      recordable: false,
      begin: () => {
        const before = targets.recordable;
        targets.begin?.();
        if (targets.recordable !== before) this.steps.restart();
      },
      of: (batch) => {
        // Each part of a batch has its own targets.
        const key = `${batch.views.number}:${batch.views.images.join()}`;
        let features = this.features.get(key);
        if (!features) {
          features = keptFeatures(() => targets.of(batch));
          this.features.set(key, features);
        }
        return features;
      },
      news: () => targets.news?.() ?? [],
      dispose: () => {},
    };
  }

  dispose(): void {
    this.giveBack();
    this.steps.dispose();
    this.loader?.dispose();
    this.targets?.dispose();
  }

  private giveBack(): void {
    const batch = this.held?.batch;
    for (const tensor of batch ? [batch.images, batch.labels, batch.indices] : []) tensor.dispose();
    for (const features of this.features.values()) for (const tensor of tensorsOf(features)) tensor.dispose();
    this.features.clear();
    this.held = undefined;
  }
}

const tensorsOf = ({ pooled, logits, map, stages }: Features): Set<Tensor> =>
  new Set([pooled, logits, ...(map ? [map] : []), ...stages]);

function keptBatch(make: () => Batch): Batch {
  return scope(() => {
    const batch = make();
    for (const tensor of [batch.images, batch.labels, batch.indices]) keep(tensor);
    return batch;
  });
}

function keptFeatures(make: () => Features): Features {
  return scope(() => {
    const features = make();
    for (const tensor of tensorsOf(features)) keep(tensor);
    return features;
  });
}
