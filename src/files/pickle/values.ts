/** What a pickle is made of, before it becomes JavaScript values and tensors. */
import type { DType } from '../../tensor/dtype.js';

/** How deep containers may nest, in reading and in writing. */
export const deepest = 500;

/** A dict of any kind. */
export class Dict {
  readonly items = new Map<unknown, unknown>();
}

/** A class or function that the pickle may name, and what calling it gives. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call?: (args: readonly unknown[], spend: (count: number) => void) => unknown,
  ) {}
}

/** An object whose state the pickle sets after it was made, as Python's `__setstate__` does. */
export abstract class Stateful {
  abstract setState(state: unknown): void;
}

/** A class or function that is not known here. It is never looked up or called. */
export class UnknownName {
  constructor(readonly name: string) {}
}

/** An object of a class that is not known here: what the pickle says of it, and no more. */
export class Opaque {
  state: unknown = null;
  readonly items = new Dict();
  readonly list: unknown[] = [];

  constructor(
    readonly type: string,
    readonly args: readonly unknown[],
  ) {}
}

/** What a name stands for: a value, mostly a {@link Callable}. Throws FileError for names that it does not know. */
export type Named = (module: string, name: string) => unknown;

/** A storage class; without a dtype it counts bytes. */
export class StorageType {
  constructor(
    readonly name: string,
    readonly dtype: DType | undefined,
  ) {}
}

/** A storage that lies elsewhere in the file. */
export class StorageReference {
  constructor(
    readonly key: string,
    readonly dtype: DType | undefined,
    readonly bytes: number,
  ) {}
}

/** A tensor that looks into a storage. */
export interface TensorPlan {
  readonly storage: StorageReference;
  readonly dtype: DType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly requiresGrad: boolean;
  readonly conjugated: boolean;
  readonly negated: boolean;
}

/** A tensor to be made; one object becomes one tensor. */
export class PlannedTensor {
  constructor(readonly plan: TensorPlan) {}
}
