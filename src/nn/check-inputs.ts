/** Checks that layers are called with tensors: other values throw ArgumentError here, not an error deep inside. */
import { checkCall } from '../call.js';
import * as activations from './activation.js';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm } from './batch-norm.js';
import * as convolutions from './conv.js';
import * as transposed from './conv-transpose.js';
import * as dropouts from './dropout.js';
import * as embeddings from './embedding.js';
import * as instanceNorms from './instance-norm.js';
import { Linear } from './linear.js';
import * as losses from './loss.js';
import * as lpPools from './lp-pool.js';
import { Module } from './module.js';
import * as norms from './norm.js';
import * as pads from './pad.js';
import * as pools from './pooling.js';
import * as cells from './recurrent-cell.js';
import * as shapes from './shape.js';
import * as softmaxes from './softmax.js';
import { Upsample } from './upsample.js';

type Forward = (this: Module, ...inputs: unknown[]) => unknown;

const first = ['input: tensor'];

/** Adds a check before `forward`, if this class defines one. */
function check(type: Module): void {
  const forward = Object.getOwnPropertyDescriptor(type, 'forward')?.value as Forward | undefined;
  if (!forward || forward.length === 0 || checked.has(type)) return;
  checked.add(type);
  const value: Forward = function (...inputs) {
    checkCall(`${this.constructor.name}.forward`, first, undefined, inputs.slice(0, 1));
    return forward.apply(this, inputs);
  };
  Object.defineProperty(type, 'forward', { value, configurable: true, writable: true });
}

const checked = new WeakSet<object>();

const families: object[] = [activations, convolutions, transposed, dropouts, embeddings, instanceNorms, losses, norms];
families.push(pads, pools, cells, shapes, softmaxes, { BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm });
families.push({ Linear, Upsample, ...lpPools });

for (const layer of families.flatMap((family) => Object.values(family))) {
  if (typeof layer !== 'function') continue;
  for (let type = layer.prototype; type instanceof Module; type = Object.getPrototypeOf(type)) check(type);
}
