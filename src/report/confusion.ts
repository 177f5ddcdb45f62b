import { html, type Markup } from './markup.js';
import { scrollable } from './page.js';
import type { RunAnalysis } from './run-analysis.js';

/** Up to this many classes, cells show counts; with more, they show colors, and the tooltip has the count. */
const namedLimit = 24;
/** The most classes for a table; beyond, the list of the most frequent mistakes is more useful. */
const drawnLimit = 200;

/**
 * Returns the student's confusion matrix: a row per class, a column per prediction, darker for a larger share of the
 * row. Undefined for very many classes.
 */
export function confusionTable({ classes, student }: RunAnalysis): Markup | undefined {
  if (classes.length > drawnLimit) return undefined;
  const named = classes.length <= namedLimit;
  const names = classes.map(({ name }) => name);
  const rows = student.confusion.map((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count, j) => {
      if (count === 0) return html`<td></td>`;
      const share = count / total;
      const tip = named ? undefined : html` title="${names[i]}: ${names[j]} ${count}"`;
      return html`<td class="${share > 0.55 ? 'full' : ''}" style="--share:${share.toFixed(3)}"${tip}>${named ? count : undefined}</td>`;
    });
    return html`<tr>${named ? html`<th scope="row">${names[i]}</th>` : html`<td></td>`}${cells}</tr>\n`;
  });
  const head = named
    ? html`<thead><tr><td></td>${names.map((name) => html`<th>${name}</th>`)}</tr></thead>`
    : undefined;
  return html`<h2>Confusion matrix of the student</h2>
<p class="quiet">A row is a class, a column what its images were taken for.</p>
${scrollable(html`<table id="confusion" class="confusion ${named ? 'named' : ''}">${head}<tbody>${rows}</tbody></table>`, 'confusion')}`;
}
