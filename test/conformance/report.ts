/** What a replay found, for people. */
import Table from 'cli-table3';
import type { Explanations } from './explained.js';
import type { Mismatch, Outcome } from './replay.js';

export const share = ({ calls, mismatches }: Outcome): number => (calls === 0 ? 0 : 1 - mismatches.length / calls);

export const unexplained = ({ mismatches }: Outcome, explanations: Explanations): Mismatch[] =>
  mismatches.filter((mismatch) => reasonFor(mismatch, explanations) === undefined);

function reasonFor({ operator, message }: Mismatch, explanations: Explanations): string | undefined {
  const explanation = Object.hasOwn(explanations, operator) ? explanations[operator] : undefined;
  return explanation?.difference.test(message) ? explanation.reason : undefined;
}

export function report(outcome: Outcome, explanations: Explanations): string {
  const numbers = new Table({ head: ['', ''], style: { head: [], border: [] } });
  numbers.push(
    ['operators', outcome.operators.size],
    ['overloads', outcome.overloads.size],
    ['calls', outcome.calls],
    ['of them with gradients', outcome.gradients],
    ['calls that match', `${(100 * share(outcome)).toFixed(2)} %`],
    ['mismatches', outcome.mismatches.length],
    ['of them unexplained', unexplained(outcome, explanations).length],
  );
  if (outcome.mismatches.length === 0) return numbers.toString();
  const table = new Table({
    head: ['operator', 'call', 'difference', 'explanation'],
    colWidths: [40, 6, 60, 50],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const mismatch of outcome.mismatches) {
    const { operator, number, message } = mismatch;
    table.push([operator, number, message.split('\n')[0], reasonFor(mismatch, explanations) ?? 'none']);
  }
  return `${numbers.toString()}\n${table.toString()}`;
}
