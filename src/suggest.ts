import { distance } from 'fastest-levenshtein';

/** The known names nearest to a mistyped one, best first; at most three, none that is far off. */
export function nearest(name: string, known: Iterable<string>): string[] {
  const ranked = [...known].map((candidate) => ({
    candidate,
    far: distance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  const limit = Math.max(2, Math.floor(name.length / 2));
  return ranked
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** `; did you mean x or y?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const names = nearest(name, known);
  return names.length > 0 ? ` Did you mean ${names.join(' or ')}?` : '';
}
