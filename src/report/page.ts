/** The frame of every page: one file that asks nothing of any network. */
import { createHash } from 'node:crypto';
import { chartLibrary, chartScript } from './chart-script.js';
import { html, Markup, scriptJson } from './markup.js';

const style = `
:root { color-scheme: light dark; --paper: #fff; --text: #1c1e21; --quiet: #5c6370; --rule: #d8dbe0; --mark: 0 114 178; --wrong: #b34700;
  --line-0: #0072b2; --line-1: #d55e00; --line-2: #009e73; --line-3: #b5488d; --line-4: #946c00; --line-5: #3b93c4;
  --line-6: #4b4f58; --line-7: #8f3b1b; }
@media (prefers-color-scheme: dark) { :root:not([data-paper]) { --paper: #16181c; --text: #e4e6ea; --quiet: #9aa1ad;
  --rule: #363a42; --mark: 86 180 233; --wrong: #ff8a3d; --line-0: #56b4e9; --line-1: #ff8a3d; --line-2: #2bc79a; --line-3: #e58cc2;
  --line-4: #f0c24b; --line-5: #8cc7ee; --line-6: #b9bec8; --line-7: #d9825f; } }
:root[data-paper] { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--text); margin: 0 auto; padding: 1.5rem;
  max-width: 1200px; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.quiet { color: var(--quiet); font-weight: normal; }
.wide { overflow-x: auto; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--rule); text-align: left; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; overflow-wrap: normal; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 1rem; }
#charts figure { margin: 0; min-width: 0; break-inside: avoid; }
#charts .u-title { font-size: 1rem; }
.examples td, .examples th { vertical-align: top; } .examples tbody th { min-width: 5.5rem; max-width: 9rem; }
.pictures { display: flex; gap: .6rem; } .pictures figure { margin: 0; width: 9rem; flex: none; break-inside: avoid; }
.pictures img { display: block; width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; }
.pictures figcaption { margin-top: .2rem; font-size: .75rem; line-height: 1.35; overflow-wrap: anywhere; }
.wrong { color: var(--wrong); font-weight: bold; }
.confusion td { padding: 0; border: 0; min-width: 7px; height: 7px; text-align: center; font-size: .8rem;
  background: rgb(var(--mark) / var(--share, 0)); print-color-adjust: exact; }
.confusion.named td { min-width: 2.2rem; height: 1.6rem; } .confusion td.full { color: var(--paper); }
.confusion th { border: 0; font-weight: normal; font-size: .8rem; }
.confusion thead th { writing-mode: vertical-rl; padding: .5rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 12px; } .wide { overflow: visible; }
  .pictures { flex-wrap: wrap; } #charts { grid-template-columns: repeat(2, 1fr); } tr { break-inside: avoid; } h2 { break-after: avoid; } }
`;

export interface PageOptions {
  title: string;
  body: Markup;
  /** What the script finds as `data`. */
  data: unknown;
  /** Runs after uPlot and chart-script.ts. */
  script: string;
  /** Whether the page may talk to the server that it came from. Default false. */
  connects?: boolean;
}

/** A whole page. Its policy lets only the scripts run that are put in here, whatever text finds its way into the body. */
export function page({ title, body, data, script, connects = false }: PageOptions): string {
  const library = chartLibrary();
  const scripts = [
    library.script,
    `${chartScript}\nconst data = JSON.parse(document.getElementById('data').textContent);${script}`,
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
${body}
<script type="application/json" id="data">${scriptJson(data)}</script>
${scripts.map((text) => html`<script>${new Markup(text)}</script>\n`)}</body>
</html>
`.text
  }`;
}

/** A table; columns after the first that hold numbers stand at the right. */
export function tableOf(head: string[], rows: (string | Markup)[][], id?: string): Markup {
  const isNumber = head.map((_, column) =>
    rows.every((row) => typeof row[column] === 'string' && /^(-?[\d.,]+(e[+-]?\d+)?( %| s)?|-|NaN)$/.test(row[column])),
  );
  const kind = (column: number) => (column > 0 && isNumber[column] ? 'number' : '');
  return html`<div class="wide"><table${id === undefined ? undefined : html` id="${id}"`}><thead><tr>${head.map(
    (name, column) => html`<th class="${kind(column)}">${name}</th>`,
  )}</tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>${row.map((cell, column) => html`<td class="${kind(column)}">${cell}</td>`)}</tr>\n`,
  )}</tbody></table></div>`;
}

/** A number to five digits, without the zeros that mean nothing. */
export const digits = (value: number): string => String(Number(value.toPrecision(5)));
