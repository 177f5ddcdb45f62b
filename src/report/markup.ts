/** HTML from templates that escape inserted values. */

/** Text that already is HTML and is not escaped. */
export class Markup {
  constructor(readonly text: string) {}
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const escapeText = (text: string): string => text.replace(/[&<>"']/g, (letter) => entities[letter] as string);

type Part = Markup | string | number | undefined | readonly Part[];

function render(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(render).join('');
  return escapeText(String(part));
}

/**
 * Builds HTML from a template that escapes all values except Markup, for text and quoted attributes. Lists are joined;
 * undefined becomes an empty text.
 */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return new Markup(strings.map((string, index) => string + render(parts[index])).join(''));
}

/** Returns a value as JSON for a script element, escaped so that no text in it can end the element. */
export const scriptJson = (value: unknown): Markup => new Markup(JSON.stringify(value).replaceAll('<', '\\u003c'));
