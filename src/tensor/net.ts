/**
 * The safety net for tensors that no scope and no dispose() frees: after garbage collection, their memory is freed at a
 * turn of the event loop. Registering a tensor costs as much as a small operation, so small tensors without a graph are
 * registered in cohorts that are freed together.
 */
import { type Handle, native } from '../native.js';

/**
 * The part of a tensor that the safety net uses. The members reference their cohort, so it is collected after all of
 * them. A tensor without a cohort is not watched.
 */
export interface Netted {
  readonly handle: Handle;
  cohort: object | undefined;
}

const cohortSize = 32;
const batchSize = 256;

/** Handles that are freed together, and the bytes that V8 was told they hold. */
interface Catch {
  handles: Handle[];
  bytes: number;
}

const registry = new FinalizationRegistry<Catch>(({ handles, bytes }) =>
  native().releaseAll(Float64Array.from(handles), bytes),
);

let waiting: Netted[] = [];
let flushing = false;

/** Placeholder cohort of a tensor that is watched by itself. */
const alone = {};

/**
 * Watches a tensor from the next turn of the event loop, or the next full batch. Watching it again has no effect.
 */
export function watch(tensor: Netted): void {
  if (tensor.cohort) return;
  tensor.cohort = alone;
  waiting.push(tensor);
  if (waiting.length >= batchSize) flush();
  else if (!flushing) {
    flushing = true;
    setImmediate(() => {
      flushing = false;
      flush();
    }).unref();
  }
}

function flush(): void {
  const batch = waiting;
  waiting = [];
  const weights = native().weigh(Float64Array.from(batch, (tensor) => tensor.handle));
  let members: Netted[] = [];
  let bytes = 0;
  for (const [i, tensor] of batch.entries()) {
    const weight = weights[i] as number;
    if (weight < 0) registry.register(tensor, { handles: [tensor.handle], bytes: -weight });
    if (weight <= 0) continue;
    members.push(tensor);
    bytes += weight;
    if (members.length < cohortSize) continue;
    registerCohort(members, bytes);
    [members, bytes] = [[], 0];
  }
  if (members.length > 0) registerCohort(members, bytes);
}

function registerCohort(members: Netted[], bytes: number): void {
  const cohort = {};
  for (const tensor of members) tensor.cohort = cohort;
  registry.register(cohort, { handles: members.map((tensor) => tensor.handle), bytes });
}
