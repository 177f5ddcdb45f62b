/**
 * The safety net under tensors that no scope and no dispose() frees: when JavaScript has forgotten one, its memory is
 * given back at a turn of the event loop. Registering a tensor costs as much as a small operation, so small tensors without a
 * graph are registered in cohorts that are freed together.
 */
import { type Handle, native } from '../native.js';

/** What the net needs of a tensor. The cohort is held by its members: it is forgotten when all of them are. Unset: not watched. */
export interface Netted {
  readonly handle: Handle;
  cohort: object | undefined;
}

const cohortSize = 32;
const batchSize = 256;

const registry = new FinalizationRegistry<Handle[]>((handles) => native().releaseAll(Float64Array.from(handles)));

let waiting: Netted[] = [];
let flushing = false;

/** Stands in for the cohort of a tensor that is watched but in none. */
const alone = {};

/** Watches over a tensor from the next turn of the event loop, or the next batch, on. Watching it again changes nothing. */
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
  for (const [i, tensor] of batch.entries()) {
    if (weights[i] === 1) registry.register(tensor, [tensor.handle]);
    if (weights[i] === 2) members.push(tensor);
    if (members.length === cohortSize) {
      registerCohort(members);
      members = [];
    }
  }
  if (members.length > 0) registerCohort(members);
}

function registerCohort(members: Netted[]): void {
  const cohort = {};
  for (const tensor of members) tensor.cohort = cohort;
  registry.register(
    cohort,
    members.map((tensor) => tensor.handle),
  );
}
