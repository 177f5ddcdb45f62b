/** Runs suites: both sides alternate within each round, and timing starts only after their results agree. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native } from '../native.js';
import { chooseAlgorithms } from '../train/algorithms.js';
import { Peer, type PeerFacts } from './peer.js';
import { bestOf, type PeerResult, resultOf, rivalsFor } from './rivals.js';
import { type Summary, summarize } from './statistics.js';
import type { BenchContext, Case, Precision, Suite } from './suite.js';

export interface BenchOptions {
  /** A Python with torch; without one, only our side is measured. */
  python?: string;
  /** Default: the number of rounds of the suite. */
  rounds?: number;
  /** Default: as many as libtorch uses on this machine. */
  threads?: number;
  /** Also measures the peers' compiled forms. Default false. */
  compiled?: boolean;
  /** Runs only cases whose name contains this text. */
  only?: string;
  photos?: string;
  /** Default `cpu`. */
  device?: string;
  /** Default `float32`. */
  precision?: Precision;
  /** Uses tiny sizes that only test that a suite works. Default false. */
  tiny?: boolean;
  /**
   * When the suite has to end, in milliseconds of performance.now(). Skips cases that have not begun by then and, in a
   * case, compiled forms other than the first once the case's share of the time is used. Default: never.
   */
  deadline?: number;
  /** Called before each part of the work. */
  progress?: (text: string) => void;
  /** Receives the error of a case that cannot be measured; other cases continue. Default: the error is thrown. */
  failed?: (name: string, error: unknown) => void;
}

export interface CaseResult {
  name: string;
  unit: Case['unit'];
  better: Case['better'];
  ours: Summary;
  peers: PeerResult[];
  /** The name of the cheapest form of the peer: the one to beat. */
  best?: string;
  /** The values on which both sides had to agree before timing. */
  agreed: string[];
  /** Milliseconds by part. */
  ledger?: Record<string, number>;
}

export interface SuiteResult {
  suite: string;
  threads: number;
  rounds: number;
  peer?: PeerFacts;
  cases: CaseResult[];
  /** Names of cases that were skipped for lack of time. */
  skipped: string[];
}

/** Runs one suite. Throws BenchError if the peer cannot be run or does not do the same work. */
export async function runSuite(suite: Suite, options: BenchOptions = {}): Promise<SuiteResult> {
  const usual = native().numThreads();
  const threads = suite.threads ?? options.threads ?? usual;
  const rounds = options.rounds ?? suite.rounds;
  const folder = mkdtempSync(join(tmpdir(), 'srrl-bench-'));
  const { python, tiny = false, photos, only = '', device = 'cpu', precision = 'float32', failed } = options;
  const start = async () =>
    python === undefined || suite.peer === undefined ? undefined : Peer.start(python, suite.peer, threads);
  let peer: Peer | undefined;
  try {
    native().setNumThreads(threads);
    // Chooses algorithms as a run does.
    chooseAlgorithms(device, false);
    peer = await start();
    const context: BenchContext = { tiny, threads, folder, device, precision, ...(photos !== undefined && { photos }) };
    const all = suite.cases(context).filter(({ name }) => name.includes(only));
    const result: SuiteResult = {
      suite: suite.name,
      threads,
      rounds,
      ...(peer && { peer: peer.facts }),
      cases: [],
      skipped: [],
    };
    for (const [i, definition] of all.entries()) {
      const { name } = definition;
      const left = (options.deadline ?? Number.POSITIVE_INFINITY) - performance.now();
      if (left <= 0) {
        result.skipped.push(name);
        continue;
      }
      options.progress?.(`${suite.name}: ${name}`);
      const own = { ...options, rounds, deadline: performance.now() + left / (all.length - i) };
      try {
        result.cases.push(await runCase(definition, own, peer));
      } catch (error) {
        if (!failed) throw error;
        failed(`${suite.name}: ${name}`, error);
        // The peer may be in any state after an error, so it is restarted.
        peer?.end();
        peer = await start();
      }
    }
    return result;
  } finally {
    peer?.end();
    native().setNumThreads(usual);
    rmSync(folder, { recursive: true, force: true });
  }
}

type CaseOptions = BenchOptions & { rounds: number; deadline: number };

async function runCase(
  definition: Case,
  { compiled = false, tiny = false, deadline, ...options }: CaseOptions,
  peer: Peer | undefined,
): Promise<CaseResult> {
  const { name, unit, better } = definition;
  const opened = await definition.open();
  try {
    const values = (await opened.check?.()) ?? {};
    const forms = definition.peers.filter((form) => compiled || !form.compiled);
    const rivals = peer ? await rivalsFor({ peer, name, forms, opened, values, deadline, failed: options.failed }) : [];
    const ours: number[] = [];
    const rounds = definition.rounds ?? options.rounds;
    // Round -1 fills caches and is not counted.
    for (let round = tiny || definition.rounds ? 0 : -1; round < rounds; round++) {
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
    const peers = rivals.map((rival) => resultOf(rival, ours, better));
    const best = bestOf(peers);
    return {
      name,
      unit,
      better,
      ours: summarize(ours),
      peers,
      ...(best !== undefined && { best }),
      agreed: rivals.length > 0 ? Object.keys(values) : [],
      ...(ledger && { ledger }),
    };
  } finally {
    opened.dispose?.();
    await peer?.close();
  }
}

/** Lets finalizers and pending callbacks run before the other side is timed. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
