/** The forms of the peer's work that a case is compared with. */
import type { Peer } from './peer.js';
import { ratiosOf, requireAgreement, type Summary, summarize } from './statistics.js';
import type { Case, OpenCase, PeerForm } from './suite.js';

export interface PeerResult {
  name: string;
  unavailable?: string;
  theirs?: Summary;
  /** Our cost divided by theirs, per round: below 1 we are better. */
  ratio?: Summary;
}

/** A form of the peer's work that is ready, or unavailable on this machine. */
export interface Rival {
  name: string;
  question: Record<string, unknown>;
  unavailable?: string;
  samples: number[];
}

interface RivalSetup {
  peer: Peer;
  name: string;
  forms: readonly PeerForm[];
  opened: OpenCase;
  /** Our numbers. */
  values: Record<string, number>;
  deadline: number;
  /** Receives the error of a form whose numbers differ from ours; others continue. Default: the error is thrown. */
  failed: ((name: string, error: unknown) => void) | undefined;
}

/** Prepares the peer's forms. Throws BenchError if the numbers of one differ from ours. */
export async function rivalsFor({ peer, forms, deadline, ...setup }: RivalSetup): Promise<Rival[]> {
  const { question } = setup.opened;
  const rivals: Rival[] = [];
  for (const form of forms) {
    const whole = { ...question, variant: form.variant, compiled: form.compiled ?? false };
    const late = form.compiled && rivals.length > 0 && performance.now() > deadline;
    const answer = late ? { unavailable: 'there was no time left' } : await peer.open(whole);
    const obstacle = 'values' in answer ? disagreement(form, answer.values, setup) : answer.unavailable;
    const unavailable = obstacle === undefined ? {} : { unavailable: obstacle };
    rivals.push({ name: form.name, question: whole, samples: [], ...unavailable });
  }
  return rivals;
}

type Expected = Pick<RivalSetup, 'name' | 'opened' | 'values' | 'failed'>;

/** Returns why a form must not be timed, after calling `failed`; throws BenchError if there is no `failed`. */
function disagreement(form: PeerForm, theirs: Record<string, number>, expected: Expected): string | undefined {
  const { name, opened, values, failed } = expected;
  try {
    requireAgreement(`${name}, ${form.name}`, values, theirs, opened.tolerance);
    return undefined;
  } catch (error) {
    if (!failed) throw error;
    failed(name, error);
    return 'its numbers are not ours';
  }
}

export function resultOf({ name, unavailable, samples }: Rival, ours: number[], better: Case['better']): PeerResult {
  if (unavailable !== undefined) return { name, unavailable };
  return { name, theirs: summarize(samples), ratio: summarize(ratiosOf(ours, samples, better)) };
}

/** Returns the cheapest form: our cost is the same in all ratios, so it has the highest one. */
export function bestOf(peers: readonly PeerResult[]): string | undefined {
  const measured = peers.filter(({ ratio }) => ratio);
  return measured.sort((a, b) => (b.ratio?.median ?? 0) - (a.ratio?.median ?? 0))[0]?.name;
}
