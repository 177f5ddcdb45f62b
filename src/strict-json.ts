/** JSON in which no key appears twice: readers differ in which of the two they believe. */

// Texts, and what opens, closes and separates; everything else is numbers and blanks.
const token = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/** The first key that an object in a valid JSON text has twice. */
export function repeatedKey(text: string): string | undefined {
  // The keys of the objects that are open; undefined for arrays.
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

/** JSON.parse, which also throws where a key appears twice. */
export function parseStrict(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw new SyntaxError(`the key '${repeated.slice(0, 60)}' appears twice`);
  return value;
}
