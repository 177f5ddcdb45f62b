/** Summary of a model: layers, shapes, parameters and floating-point operations. */

import { checkCall } from '../call.js';
import type { HookHandle } from '../tensor/index.js';
import { noGrad, scope, Tensor, watchFlops } from '../tensor/index.js';
import type { Module } from './module.js';

/** One module of a {@link ModuleSummary}. */
export interface SummaryRow {
  /** Path in the module; empty for the module itself. */
  path: string;
  /** Name of its class. */
  type: string;
  /** Shapes of the tensors that its last forward returned; absent if it was not called. */
  outputs?: number[][];
  /** Number of parameters, with those of its descendants. */
  parameters: number;
  /** Number of parameters that are trained. */
  trainable: number;
  /** FLOPs of all its forwards, with those of its descendants; one multiply-add counts as two. */
  flops: number;
}

/** Result of {@link summary}: one row per module, and totals. */
export interface ModuleSummary {
  rows: SummaryRow[];
  parameters: number;
  trainable: number;
  flops: number;
  /** Bytes of parameters and buffers. */
  bytes: number;
  /** Formats the rows as a text table. */
  toString(): string;
}

/**
 * Runs one forward without gradient, in evaluation mode, and describes every module that it calls. `inputs` are passed
 * to `forward`.
 *
 *     console.log(`${summary(model, torch.zeros([1, 3, 32, 32]))}`);
 */
export function summary(module: Module, ...inputs: unknown[]): ModuleSummary {
  checkCall('summary', ['module: model'], undefined, [module]);
  const rows = new Map<Module, SummaryRow>();
  for (const [path, part] of module.namedModules()) {
    const parameters = [...part.parameters()];
    rows.set(part, {
      path,
      type: part.constructor.name,
      parameters: count(parameters),
      trainable: count(parameters.filter((parameter) => parameter.requiresGrad)),
      flops: 0,
    });
  }
  const training = new Map([...rows.keys()].map((part) => [part, part.training]));
  module.eval();
  try {
    noGrad(() => scope(() => measure(module, inputs, rows)));
  } finally {
    for (const [part, on] of training) part.training = on;
  }
  return summed([...rows.values()], [...module.heldTensors()]);
}

function measure(module: Module, inputs: unknown[], rows: Map<Module, SummaryRow>): void {
  watchFlops((soFar) => {
    const handles: HookHandle[] = [];
    for (const [part, row] of rows) {
      const begun: number[] = [];
      handles.push(
        part.registerForwardPreHook(() => {
          begun.push(soFar().total);
          return undefined;
        }),
        part.registerForwardHook((_part, _inputs, output) => {
          row.flops += soFar().total - (begun.pop() ?? 0);
          row.outputs = shapesIn(output);
        }),
      );
    }
    try {
      (module.forward as (...given: unknown[]) => unknown)(...inputs);
    } finally {
      for (const handle of handles) handle.remove();
    }
  });
}

const count = (tensors: Tensor[]): number => tensors.reduce((sum, tensor) => sum + tensor.numel(), 0);

function shapesIn(value: unknown): number[][] {
  if (value instanceof Tensor) return [value.shape];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(shapesIn);
}

function summed(rows: SummaryRow[], held: Tensor[]): ModuleSummary {
  const [whole] = rows;
  const { parameters = 0, trainable = 0, flops = 0 } = whole ?? {};
  const bytes = held.reduce((sum, tensor) => sum + tensor.numel() * tensor.elementSize(), 0);
  return { rows, parameters, trainable, flops, bytes, toString: () => tableOf(rows, bytes) };
}

function tableOf(rows: SummaryRow[], bytes: number): string {
  const number = (value: number) => value.toLocaleString('en');
  const lines = rows.map(({ path, type, outputs, parameters, flops }) => {
    const depth = path === '' ? 0 : path.split('.').length;
    const name = `${'  '.repeat(depth)}${path === '' ? type : `${path.split('.').at(-1)}: ${type}`}`;
    return [name, outputs?.map((shape) => `[${shape.join(', ')}]`).join(' ') ?? '', number(parameters), number(flops)];
  });
  const table = [['module', 'output', 'parameters', 'FLOPs'], ...lines];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((line) => (line[column] as string).length)));
  const text = table.map((line) =>
    line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  '),
  );
  const [whole] = rows;
  const frozen = (whole?.parameters ?? 0) - (whole?.trainable ?? 0);
  return `${text.join('\n')}\n${number(whole?.parameters ?? 0)} parameters, ${number(frozen)} of them frozen; ${number(bytes)} bytes with buffers`;
}
