/** Replays recorded calls through the public dispatch and says which of them match. */
import { type Tensor, torch } from '../../src/torch.js';
import { difference } from './compare.js';
import { type Arguments, at, decode, decodeArguments } from './decode.js';
import type { Gradients, RecordedCall } from './format.js';

export interface Mismatch {
  operator: string;
  /** Which call of this operator, from 0. */
  number: number;
  message: string;
}

export interface Outcome {
  /** Distinct names without their overloads. */
  operators: Set<string>;
  /** Calls by full name. */
  overloads: Map<string, number>;
  calls: number;
  gradients: number;
  mismatches: Mismatch[];
}

export function replayAll(calls: Iterable<RecordedCall>): Outcome {
  const outcome: Outcome = { operators: new Set(), overloads: new Map(), calls: 0, gradients: 0, mismatches: [] };
  for (const call of calls) {
    const { operator } = call;
    const number = outcome.overloads.get(operator) ?? 0;
    const message = replay(call);
    outcome.overloads.set(operator, number + 1);
    outcome.operators.add(operator.split('.')[0] as string);
    outcome.calls++;
    if (call.gradients) outcome.gradients++;
    if (message !== undefined) outcome.mismatches.push({ operator, number, message });
  }
  return outcome;
}

/** The first difference from what was recorded, or the error; undefined where all matches. */
export function replay(call: RecordedCall): string | undefined {
  try {
    return (
      torch.scope(() => replayValues(call)) ??
      (call.gradients && torch.scope(() => replayGradients(call, call.gradients as Gradients)))
    );
  } catch (error) {
    return `throws ${(error as Error).message}`;
  }
}

function replayValues(call: RecordedCall): string | undefined {
  const given = decodeArguments(call);
  const results = invoke(call, given);
  for (const [i, expected] of call.results.entries()) {
    const found = difference(`result ${i}`, expected, results[i]);
    if (found) return found;
  }
  for (const [key, expected] of Object.entries(call.written ?? {})) {
    const found = difference(
      `argument ${key} afterwards`,
      expected,
      at(given, [/^\d+$/.test(key) ? Number(key) : key]),
    );
    if (found) return found;
  }
  return undefined;
}

function replayGradients(call: RecordedCall, recorded: Gradients): string | undefined {
  const given = decodeArguments(call);
  const inputs = recorded.inputs.map((path) => at(given, path) as Tensor);
  for (const input of inputs) input.requiresGrad_();
  const results: Arguments = { args: invoke(call, given), kwargs: {} };
  const outputs = recorded.outputs.map((path) => at(results, path) as Tensor);
  const gradOutputs = recorded.upstream.map(decode) as Tensor[];
  const gradients = torch.grad(outputs, inputs, { gradOutputs, allowUnused: true });
  for (const [i, expected] of recorded.values.entries()) {
    const found = difference(`gradient of argument ${recorded.inputs[i]?.join('.')}`, expected, gradients[i]);
    if (found) return found;
  }
  return undefined;
}

function invoke(call: RecordedCall, { args, kwargs }: Arguments): unknown[] {
  const returned = torch.dispatch(call.operator, ...args, ...(Object.keys(kwargs).length > 0 ? [kwargs] : []));
  if (call.results.length === 0) return [];
  return call.results.length === 1 ? [returned] : (returned as unknown[]);
}
