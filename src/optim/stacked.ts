import { type Tensor, functions as torch } from '../tensor/index.js';
import type { ParameterState } from './state.js';

/** A state of one number for each of these parameters, as float64 [parameters]. */
export const stacked = (state: ReadonlyMap<Tensor, ParameterState>, members: readonly Tensor[], name: string): Tensor =>
  torch.stack(members.map((member) => state.get(member)?.[name] as Tensor)).double();
