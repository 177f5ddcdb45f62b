/** Runs suites: both sides alternate within each round, and nothing is timed before they agree. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native } from '../native.js';
import { Peer, type PeerFacts } from './peer.js';
import { ratiosOf, requireAgreement, type Summary, summarize } from './statistics.js';
import type { BenchContext, Case, OpenCase, PeerForm, Precision, Suite } from './suite.js';

export interface BenchOptions {
  /** A python with torch; without one only our own numbers are taken. */
  python?: string;
  /** Default: the suite's. */
  rounds?: number;
  /** Default: as many as libtorch uses here. */
  threads?: number;
  /** Also the peers' compiled forms. Default false. */
  compiled?: boolean;
  /** Only cases with this in their name. */
  only?: string;
  photos?: string;
  /** Default `cpu`. */
  device?: string;
  /** Default `float32`. */
  precision?: Precision;
  /** Sizes that show that a suite works, and measure nothing. Default false. */
  tiny?: boolean;
  /** Hears what is about to be done. */
  progress?: (text: string) => void;
}

export interface PeerResult {
  name: string;
  unavailable?: string;
  theirs?: Summary;
  /** Ours to theirs as cost, a round: below 1 we are better. */
  ratio?: Summary;
}

export interface CaseResult {
  name: string;
  unit: Case['unit'];
  better: Case['better'];
  ours: Summary;
  peers: PeerResult[];
  /** What both sides had to agree on before they were timed. */
  agreed: string[];
  /** ms by part. */
  ledger?: Record<string, number>;
}

export interface SuiteResult {
  suite: string;
  threads: number;
  rounds: number;
  peer?: PeerFacts;
  cases: CaseResult[];
}

/** Runs one suite. Throws BenchError where the peer cannot be run, or does not do the same work. */
export async function runSuite(suite: Suite, options: BenchOptions = {}): Promise<SuiteResult> {
  const usual = native().numThreads();
  const threads = suite.threads ?? options.threads ?? usual;
  const rounds = options.rounds ?? suite.rounds;
  const folder = mkdtempSync(join(tmpdir(), 'srrl-bench-'));
  let peer: Peer | undefined;
  try {
    native().setNumThreads(threads);
    if (options.python !== undefined && suite.peer !== undefined)
      peer = await Peer.start(options.python, suite.peer, threads);
    const { tiny = false, photos, only = '', device = 'cpu', precision = 'float32' } = options;
    const context: BenchContext = { tiny, threads, folder, device, precision, ...(photos !== undefined && { photos }) };
    const cases: CaseResult[] = [];
    for (const definition of suite.cases(context)) {
      if (!definition.name.includes(only)) continue;
      options.progress?.(`${suite.name}: ${definition.name}`);
      cases.push(await runCase(definition, rounds, options, peer));
    }
    return { suite: suite.name, threads, rounds, ...(peer && { peer: peer.facts }), cases };
  } finally {
    peer?.end();
    native().setNumThreads(usual);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runCase(
  definition: Case,
  rounds: number,
  { compiled = false, tiny = false }: BenchOptions,
  peer: Peer | undefined,
): Promise<CaseResult> {
  const { name, unit, better } = definition;
  const opened = await definition.open();
  try {
    const values = (await opened.check?.()) ?? {};
    const forms = definition.peers.filter((form) => compiled || !form.compiled);
    const rivals = peer ? await rivalsFor(peer, name, forms, opened, values) : [];
    const ours: number[] = [];
    // The first is for caches and is not counted.
    for (let round = tiny ? 0 : -1; round < rounds; round++) {
      const mine = await opened.measure();
      await turn();
      if (round >= 0) ours.push(mine);
      for (const rival of rivals) {
        if (rival.unavailable !== undefined) continue;
        const other = await (peer as Peer).measure(rival.question);
        if (round >= 0) rival.samples.push(other);
      }
    }
    const ledger = await opened.ledger?.();
    return {
      name,
      unit,
      better,
      ours: summarize(ours),
      peers: rivals.map((rival) => resultOf(rival, ours, better)),
      agreed: rivals.length > 0 ? Object.keys(values) : [],
      ...(ledger && { ledger }),
    };
  } finally {
    opened.dispose?.();
    await peer?.close();
  }
}

/** A form of the peer's work that is ready, or that this machine cannot do. */
interface Rival {
  name: string;
  question: Record<string, unknown>;
  unavailable?: string;
  samples: number[];
}

/** Makes the peer's forms ready. Throws BenchError where one does not give our numbers. */
async function rivalsFor(
  peer: Peer,
  name: string,
  forms: readonly PeerForm[],
  { question, tolerance }: OpenCase,
  ours: Record<string, number>,
): Promise<Rival[]> {
  const rivals: Rival[] = [];
  for (const form of forms) {
    const whole = { ...question, variant: form.variant, compiled: form.compiled ?? false };
    const answer = await peer.open(whole);
    if ('values' in answer) requireAgreement(`${name}, ${form.name}`, ours, answer.values, tolerance);
    const unavailable = 'unavailable' in answer ? { unavailable: answer.unavailable } : {};
    rivals.push({ name: form.name, question: whole, samples: [], ...unavailable });
  }
  return rivals;
}

function resultOf({ name, unavailable, samples }: Rival, ours: number[], better: Case['better']): PeerResult {
  if (unavailable !== undefined) return { name, unavailable };
  return { name, theirs: summarize(samples), ratio: summarize(ratiosOf(ours, samples, better)) };
}

/** Lets finalizers and whatever waits have their turn before the other side is timed. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
