/** Refuses JSON with duplicate keys, because readers differ in which value they use. */

// Strings, brackets and separators; the rest is numbers, literals and blanks.
const token = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/** Returns the first duplicate key of an object in a valid JSON text; undefined if there is none. */
export function repeatedKey(text: string): string | undefined {
  // The keys of each open object; undefined for open arrays.
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [part] of text.matchAll(token)) {
    if (part === '{') open.push(new Set());
    else if (part === '[') open.push(undefined);
    else if (part === '}' || part === ']') open.pop();
    else if (part === ':') {
      const keys = open.at(-1);
      const key = JSON.parse(last) as string;
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    last = part;
  }
  return undefined;
}

/** Parses as JSON.parse does, but also throws if a key appears twice. */
export function parseStrict(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw new SyntaxError(`the key '${repeated.slice(0, 60)}' appears twice`);
  return value;
}
