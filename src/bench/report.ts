/** Formats results as text. */
import { table } from '../report/terminal.js';
import type { Environment } from './environment.js';
import type { CaseResult, SuiteResult } from './harness.js';
import type { PeerResult } from './rivals.js';
import type { Summary } from './statistics.js';
import type { Suite } from './suite.js';

export const environmentText = (facts: Environment): string =>
  [
    `${facts.processor}, ${facts.cores} cores, ${facts.memoryGiB} GiB (${facts.freeGiB} free), ${facts.system}, ${facts.date}`,
    `Node ${facts.node}, libtorch ${facts.libtorch}, ${facts.threads} threads, devices: ${facts.devices.join(', ')}`,
  ].join('\n');

/** Returns a line that lists the suites left out and why. */
export const cpuOnlyText = (suites: readonly Suite[], device: string): string =>
  `Not on ${device}: ${suites.map(({ name, cpuOnly }) => `${name} (${cpuOnly})`).join('; ')}.`;

/** Compares every case with the cheapest form of the peer; undefined without a peer. */
export function bestText(results: readonly SuiteResult[]): string | undefined {
  const rows = results.flatMap(({ suite, cases }) =>
    cases.flatMap(({ name, unit, ours, peers, best }) => {
      const peer = peers.find((each) => each.name === best);
      return peer ? [[suite, name, unit, summaryText(ours), ...peerCells(peer)]] : [];
    }),
  );
  if (rows.length === 0) return undefined;
  const head = ['suite', 'case', 'unit', 'here', 'best form there', 'there', 'ratio'];
  return ['Against the best form of the peer:', table(head, rows)].join('\n');
}

/** Formats a suite as a table: a row per form of the peer, or one for a case without a peer. */
export function suiteText({ summary }: Suite, { suite, rounds, threads, peer, cases, skipped }: SuiteResult): string {
  const against = peer
    ? [`Python ${peer.python} with torch ${peer.torch} on ${peer.device}, ${threadsText(peer.threads)}`]
    : [];
  const title = [`${suite}: ${summary}`, `rounds: ${rounds}`, threadsText(threads), ...against].join('; ');
  const head = ['case', 'unit', 'here', ...(peer ? ['against', 'there', 'ratio'] : [])];
  const rows = cases.flatMap((result) => rowsOf(result, peer !== undefined));
  const late = skipped.length > 0 ? [`There was no time for: ${skipped.join('; ')}.`] : [];
  return [title, table(head, rows), note(peer !== undefined, cases), ...cases.flatMap(ledgerText), ...late].join('\n');
}

const threadsText = (threads: number): string => `${threads} ${threads === 1 ? 'thread' : 'threads'}`;

function note(compared: boolean, cases: readonly CaseResult[]): string {
  const agreed = [...new Set(cases.flatMap((result) => result.agreed))];
  return [
    'Medians (quartiles).',
    ...(compared ? ['Ratio: our cost to theirs in the same round; below 1 is better here.'] : []),
    ...(agreed.length > 0 ? [`Both sides gave the same, but for rounding: ${agreed.join(', ')}.`] : []),
  ].join(' ');
}

function rowsOf({ name, unit, ours, peers, best }: CaseResult, compared: boolean): string[][] {
  const own = [name, unit, summaryText(ours)];
  if (!compared) return [own];
  if (peers.length === 0) return [[...own, '', '', '']];
  return peers.map((peer, i) => [...(i === 0 ? own : ['', '', '']), ...peerCells(peer, peer.name === best)]);
}

function peerCells({ name, unavailable, theirs, ratio }: PeerResult, marked = false): string[] {
  if (!theirs || !ratio) return [name, `not available: ${unavailable ?? ''}`, ''];
  return [marked ? `${name} (best)` : name, summaryText(theirs), summaryText(ratio, 2)];
}

function summaryText({ median, quartiles }: Summary, digits = digitsFor(median)): string {
  const text = (value: number) =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(median)} (${quartiles.map(text).join(' to ')})`;
}

/** Returns the decimals for three significant digits. */
const digitsFor = (value: number): number => (value >= 100 ? 0 : value >= 10 ? 1 : 2);

function ledgerText({ name, ledger }: CaseResult): string[] {
  if (!ledger) return [];
  const parts = Object.entries(ledger).map(([part, ms]) => `${part} ${ms.toFixed(1)}`);
  return [`ms a step, ${name}: ${parts.join(', ')}`];
}
