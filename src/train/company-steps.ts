/** The steps of several students on one device, all in one graph. */
import { messageOf } from '../errors.js';
import { GraphPool } from '../tensor/index.js';
import type { CapturedBatches } from './captured-batches.js';
import { OwnSteps } from './own-steps.js';
import type { Inputs } from './recorded-pass.js';

/** Where in an epoch a step's batch begins, and its number of images. */
export interface Place {
  position: number;
  size: number;
}

/** One student of the company, as the graph sees it. */
export interface Member {
  /** Whether its steps are captured. */
  readonly captures: boolean;
  /** Whether it generates random numbers on the device. */
  readonly draws: boolean;
  /** Whether its next step with `size` images can be captured. */
  readyFor(size: number): boolean;
  /** Runs `body` with the kernels of its run. */
  within<T>(body: () => T): T;
  /** Copies the values that its host decides to the device. */
  prepare(): void;
  /** Its whole step except the batch, to be captured. */
  whole(inputs: Inputs, size: number): void;
  /** Called after a replay has done its next step, or with the error if the device failed. */
  replayed(error?: unknown): void;
  /** Frees the graphs that were captured for it alone. */
  forgetOwn(): void;
}

const drawn = 'a student draws random numbers on the device (dropout, CRD), and one graph draws them for all students';

/**
 * One graph for all students: it holds the batch, the teacher in parallel, and each student on its own branch. All
 * students must be at the same step. If one of them cannot be captured this way, each has its own graph until one of
 * them leaves.
 */
export class CompanySteps {
  readonly #members = new Set<Member>();
  readonly #arrived = new Map<Member, Place>();
  /** By number of images. */
  readonly #steps = new Map<number, { own: OwnSteps; batches: CapturedBatches[] }>();
  #batches: ((size: number) => CapturedBatches[]) | undefined;
  readonly #pool = new GraphPool();
  #device = '';
  #apart = false;
  #notice: string | undefined;

  /** Adds a student. `batches`: sources of batch and targets for `size` images; the first student's serve all. */
  join(member: Member, device: string, batches: (size: number) => CapturedBatches[]): void {
    this.#members.add(member);
    this.#device = device;
    this.#batches ??= batches;
  }

  /** Whether each student has a graph of its own. */
  get apart(): boolean {
    return this.#apart;
  }

  /** Returns the reason once; then undefined. */
  takeNotice(): string | undefined {
    const notice = this.#notice;
    this.#notice = undefined;
    return notice;
  }

  /** Announces that a student is about to do a step. */
  arrive(member: Member, place: Place): void {
    this.#arrived.set(member, place);
  }

  /** Does the step of all students if all have arrived and it can be captured. If false, each must do its own. */
  step(): boolean {
    const [place, ...others] = this.#arrived.values();
    const all = this.#arrived.size === this.#members.size;
    this.#arrived.clear();
    if (this.#apart || !place) return false;
    const elsewhere = others.some(({ position, size }) => position !== place.position || size !== place.size);
    if (!all || elsewhere) return this.#part();
    const members = [...this.#members] as [Member, ...Member[]];
    if (!members.every(({ captures }) => captures)) return this.#part();
    if (members.some(({ draws }) => draws)) return this.#part(drawn);
    if (!members.every((member) => member.readyFor(place.size))) return false;
    const steps = this.#stepsOf(place.size);
    if (!steps) return this.#part();
    try {
      for (const member of members) member.prepare();
      // Batches and targets are those of the first student.
      members[0].within(() => steps.ready(place.position));
    } catch (error) {
      return this.#part(messageOf(error));
    }
    try {
      steps.replay();
      for (const member of members) member.replayed();
    } catch (error) {
      for (const member of members) member.replayed(error);
    }
    return true;
  }

  /** Returns undefined if the host has to copy the batches. */
  #stepsOf(size: number): OwnSteps | undefined {
    const known = this.#steps.get(size);
    if (known) return known.own;
    const batches = this.#batches?.(size) ?? [];
    if (batches.length === 0) return undefined;
    const [device, members] = [this.#device, this.#members];
    const own = new OwnSteps({
      ...{ device, batches, pool: this.#pool, branches: members.size },
      body: (inputs, graph) => {
        for (const member of members) graph.aside(() => member.within(() => member.whole(inputs, size)));
        graph.join();
      },
    });
    this.#steps.set(size, { own, batches });
    return own;
  }

  #part(notice?: string): false {
    this.#apart = true;
    this.#notice = notice;
    this.#clear();
    return false;
  }

  /** Removes a student; the others are captured again. */
  leave(member: Member): void {
    if (!this.#members.delete(member)) return;
    this.#arrived.delete(member);
    this.forget();
    this.#retry();
  }

  /** Starts over because batches and targets are made in another way from now on. */
  restart(): void {
    this.#clear();
    this.#retry();
  }

  #retry(): void {
    if (!this.#apart) return;
    this.#apart = false;
    for (const member of this.#members) member.forgetOwn();
  }

  /** Frees the captured graphs. */
  forget(): void {
    for (const { own } of this.#steps.values()) own.forget();
  }

  #clear(): void {
    this.forget();
    for (const { batches } of this.#steps.values()) for (const way of batches) way.dispose();
    this.#steps.clear();
  }

  dispose(): void {
    this.#clear();
  }
}
