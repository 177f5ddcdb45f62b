/** The frame of every page: one file without network requests. */
import { createHash } from 'node:crypto';
import { chartLibrary, chartScript } from './chart-script.js';
import { html, Markup, scriptJson } from './markup.js';
import { style } from './style.js';
import { tableScript } from './table-script.js';

export interface PageOptions {
  title: string;
  body: Markup;
  /** The value of `data` in the script. */
  data: unknown;
  /** Runs after uPlot and chart-script.ts. */
  script: string;
  /** Whether the page may connect to the server that it came from. Default false. */
  connects?: boolean;
}

/** Returns a whole page. Its content security policy allows only the scripts added here, whatever the body contains. */
export function page({ title, body, data, script, connects = false }: PageOptions): string {
  const library = chartLibrary();
  const scripts = [
    library.script,
    `${chartScript}${tableScript}\nconst data = JSON.parse(document.getElementById('data').textContent);${script}`,
  ];
  const hashes = scripts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
  const policy = `default-src 'none'; script-src ${hashes}; style-src 'unsafe-inline'; img-src data:; connect-src ${connects ? "'self'" : "'none'"}; base-uri 'none'; form-action 'none'`;
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Markup(library.style)}${new Markup(style)}</style>
</head>
<body>
<main>
${body}
</main>
<script type="application/json" id="data">${scriptJson(data)}</script>
${scripts.map((text) => html`<script>${new Markup(text)}</script>\n`)}</body>
</html>
`.text
  }`;
}

interface TableOptions {
  /** Whether buttons in the header sort the rows. */
  sortable?: boolean;
  /** Whether a narrow page shows each row as a block; otherwise the table scrolls. */
  cards?: boolean;
}

/** Returns a table; the first column names the rows, and later columns with numbers are right-aligned. */
export function tableOf(
  head: string[],
  rows: (string | Markup)[][],
  id?: string,
  { sortable = false, cards = false }: TableOptions = {},
): Markup {
  const isNumber = head.map((_, column) =>
    rows.every((row) => typeof row[column] === 'string' && numeric.test(row[column])),
  );
  const isShort = head.map((_, column) =>
    rows.every(({ [column]: cell }) => typeof cell === 'string' && cell.length < 25),
  );
  const kind = (column: number) =>
    column > 0 && isNumber[column] ? 'number' : sortable && isShort[column] ? 'short' : '';
  const name = (text: string) => (sortable ? html`<button type="button">${text}</button>` : text);
  const cell = (content: string | Markup, column: number) =>
    html`<td class="${kind(column)}"${cards ? html` data-label="${head[column]}"` : undefined}>${content}</td>`;
  const classes = [...(cards ? ['cards'] : []), ...(sortable ? ['sortable'] : [])].join(' ');
  const table = html`<table class="${classes}"${id === undefined ? undefined : html` id="${id}"`}><thead><tr>${head.map(
    (text, column) => html`<th scope="col" class="${kind(column)}">${name(text)}</th>`,
  )}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody></table>`;
  return scrollable(table, id ?? head.join(', '));
}

/** Wraps content that may be wider than the page in a region that scrolls by mouse and keyboard. */
export const scrollable = (content: Markup, label: string): Markup =>
  html`<div class="wide" role="region" aria-label="table: ${label}" tabindex="0">${content}</div>`;

const numeric = /^([-−+]?[\d.,]+(e[+-]?\d+)?( ± [\d.]+)?( %| s| points?)?|(\d+ h )?\d+ min( \d+ s)?|-|NaN)$/;

/** Formats a number with five significant digits, without trailing zeros. */
export const digits = (value: number): string => String(Number(value.toPrecision(5)));
