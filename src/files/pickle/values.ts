/** The values of a pickle, before they become JavaScript values and tensors. */
import type { DType } from '../../tensor/dtype.js';

/** The deepest nesting of containers, for reading and writing. */
export const deepest = 500;

/** A Python dict of any class. */
export class Dict {
  readonly items = new Map<unknown, unknown>();
}

/** A class or function that a pickle may name, and the result of calling it. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call?: (args: readonly unknown[], spend: (count: number) => void) => unknown,
  ) {}
}

/** An object whose state is set after its creation, like Python's `__setstate__`. */
export abstract class Stateful {
  abstract setState(state: unknown): void;
}

/** An unsupported class or function. It is never imported or called. */
export class UnknownName {
  constructor(readonly name: string) {}
}

/** An object of an unsupported class, with only the data in the pickle. */
export class Opaque {
  state: unknown = null;
  readonly items = new Dict();
  readonly list: unknown[] = [];

  constructor(
    readonly type: string,
    readonly args: readonly unknown[],
  ) {}
}

/** Resolves a name to a value, usually a {@link Callable}. Throws FileError for unsupported names. */
export type Named = (module: string, name: string) => unknown;

/** A storage class; without a dtype, its sizes are in bytes. */
export class StorageType {
  constructor(
    readonly name: string,
    readonly dtype: DType | undefined,
  ) {}
}

/** A reference to a storage elsewhere in the file. */
export class StorageReference {
  constructor(
    readonly key: string,
    readonly dtype: DType | undefined,
    readonly bytes: number,
  ) {}
}

/** A tensor as a view of a storage. */
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

/** A tensor to be created; each object becomes one tensor. */
export class PlannedTensor {
  constructor(readonly plan: TensorPlan) {}
}
