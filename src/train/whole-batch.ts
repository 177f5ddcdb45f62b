/** The features of all processes' images, for methods that compare the images of a batch. */
import { type PartShare, rowsOfRanks } from '../data/ranks.js';
import type { StepValues } from '../distill/method.js';
import { GatherRows, gatherRows } from '../distributed/gather.js';
import type { Features } from '../flow.js';
import { noGrad, type Tensor } from '../tensor/index.js';
import type { Ranks } from './ranks.js';

/**
 * Returns a step's values for the images of all processes. Each feature is gathered when it is first read, so only what
 * a method uses is sent; all processes must read in the same order.
 */
export function wholeValues(values: StepValues, share: PartShare, ranks: Ranks): StepValues {
  if (share.everyone) return values;
  const rows = rowsOfRanks(share.total, ranks.size);
  const trained = (x: Tensor) => GatherRows.apply(x, rows);
  const fixed = (x: Tensor) => noGrad(() => gatherRows(x, rows));
  const { student, teacher, labels, indices, labelSmoothing } = values;
  return {
    student: gathered(student, trained),
    ...(teacher && { teacher: gathered(teacher, fixed) }),
    labels: fixed(labels),
    indices: fixed(indices),
    ...(labelSmoothing !== undefined && { labelSmoothing }),
    get epoch() {
      return values.epoch;
    },
  };
}

function gathered(features: Features, gather: (x: Tensor) => Tensor): Features {
  const known = new Map<Tensor, Tensor>();
  const of = (x: Tensor) => {
    const found = known.get(x) ?? gather(x);
    known.set(x, found);
    return found;
  };
  const { map } = features;
  return {
    get pooled() {
      return of(features.pooled);
    },
    get logits() {
      return of(features.logits);
    },
    ...(map && {
      get map() {
        return of(map);
      },
    }),
    stages: new Proxy(features.stages, {
      get: (stages, key, receiver) => {
        const value: unknown = Reflect.get(stages, key, receiver);
        return typeof key === 'string' && /^\d+$/.test(key) ? of(value as Tensor) : value;
      },
    }),
  };
}
