/** Output as documents show it: the words must be those of the program; numbers are of a machine and may differ. */

/** Without the lines of a progress bar, which come on slow machines only. */
export const progressLess = (output: string): string =>
  output
    .split('\n')
    .filter((line) => !/^\d+ % {2}left /.test(line))
    .join('\n');

/** What a line says but for its numbers, hashes, and the width of its cells. */
export const formOf = (line: string): string =>
  line
    .replace(/\b[0-9a-f]{40,}\b/g, '#')
    .replace(/\b\d+ (h|min) \d+ (min|s)\b/g, '# s')
    .replace(/\d[\d,.]*(e[+-]\d+)?/g, '#')
    .replace(/─+/g, '─')
    .replace(/ +/g, ' ')
    .trimEnd();

const linesOf = (text: string): string[] => text.replace(/\n+$/, '').split('\n');

/**
 * The lines of `output` that `shown` shows, in which a line `...` stands for any number of lines; undefined where
 * something else is shown.
 */
export function actualOf(shown: string, output: string): string | undefined {
  const actual = linesOf(output);
  const result: string[] = [];
  let at = 0;
  let isFree = false;
  for (const segment of segmentsOf(linesOf(shown))) {
    if (segment === '...') {
      result.push('...');
      isFree = true;
      continue;
    }
    const fits = (start: number) => segment.every((line, i) => formOf(actual[start + i] ?? '\0') === formOf(line));
    const starts = isFree ? actual.keys() : [at];
    const start = [...starts].find((place) => place >= at && fits(place));
    if (start === undefined) return undefined;
    at = start + segment.length;
    result.push(...actual.slice(start, at));
    isFree = false;
  }
  return isFree || at === actual.length ? `${result.join('\n')}\n` : undefined;
}

/** Runs of lines, and `...` between them. */
function segmentsOf(lines: readonly string[]): (string[] | '...')[] {
  const segments: (string[] | '...')[] = [];
  for (const line of lines) {
    const last = segments.at(-1);
    if (line === '...') segments.push('...');
    else if (last === undefined || last === '...') segments.push([line]);
    else last.push(line);
  }
  return segments;
}
