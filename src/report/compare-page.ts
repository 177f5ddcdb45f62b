/** The page of a comparison. */
import { type Curve, comparisonCharts } from './charts.js';
import { type Comparison, compareRuns, groupNames } from './compare.js';
import { type ComparisonTable, comparisonFormats, groupTable, runTable, significanceTable } from './compare-tables.js';
import { html, type Markup } from './markup.js';
import { page, tableOf } from './page.js';
import { type ParetoAxis, paretoChart } from './pareto.js';
import { type RunRecords, showsTop5 } from './run-records.js';

/** Draws the curves, and saves the table in the format of the pressed button. */
const script = `
drawCharts(data.charts);
for (const button of document.querySelectorAll('[data-download]')) {
  button.addEventListener('click', () => {
    const [name, text] = data.files[button.dataset.download];
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    Object.assign(document.createElement('a'), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
}
`;

/** Returns the comparison with the curves of all runs as the text of an HTML file without network requests. */
export function comparisonPage(records: readonly RunRecords[]): string {
  const comparison = compareRuns(records);
  const choice = { top5: records.some(showsTop5) };
  const { curves, note } = curvesOf(records, comparison);
  const section = (heading: string, { head, rows }: ComparisonTable, id: string, note?: string): Markup =>
    html`<section><h2>${heading}</h2>${note && html`<p class="quiet">${note}</p>`}
${tableOf(head, rows, id, { sortable: true, cards: true })}</section>`;
  const tests = significanceTable(comparison);
  const body = html`<h1>Comparison of ${records.length} runs</h1>
${section('Mean ± sample standard deviation over seeds', groupTable(comparison, choice), 'groups', bestNote)}
<p class="downloads">Save this table as ${Object.keys(comparisonFormats).map(
    (format) =>
      html`<button type="button" data-download="${format}">${formatNames[format as keyof typeof formatNames]}</button> `,
  )}</p>
${tests.rows.length > 0 ? section('Significance', tests, 'significance', testNote) : undefined}
${paretoSection(comparison)}
${section('Runs', runTable(comparison, choice), 'runs')}
<section><h2>Curves</h2>${note && html`<p class="quiet">${note}</p>`}<div id="charts"></div></section>`;
  const files = Object.entries(comparisonFormats).map(([format, write]) => [
    format,
    [`comparison.${extensions[format as keyof typeof extensions]}`, write(comparison, choice)],
  ]);
  const data = { charts: comparisonCharts(curves), files: Object.fromEntries(files) };
  return page({ title: `${records.length} runs - srrl`, body, data, script });
}

/** The most curves that can be told apart in a chart. */
const mostCurves = 16;

/** Returns one curve per run or, if these are too many, the mean curve of each of the best groups. */
function curvesOf(records: readonly RunRecords[], { runs, groups }: Comparison): { curves: Curve[]; note?: string } {
  if (records.length <= mostCurves)
    return { curves: records.map((run, i) => ({ label: runs[i]?.run ?? run.name, runs: [run] })) };
  const names = groupNames(groups);
  const byName = new Map(records.map((record, i) => [runs[i]?.run, record]));
  const ranked = groups
    .map((group, i) => ({ group, label: names[i] as string }))
    .sort((a, b) => (b.group.lastTop1?.mean ?? 0) - (a.group.lastTop1?.mean ?? 0))
    .slice(0, mostCurves);
  const curves = ranked.map(({ group, label }) => ({
    label,
    runs: group.runs.flatMap((name) => byName.get(name) ?? []),
  }));
  const which = groups.length > mostCurves ? `the ${mostCurves} with the best last top-1 of ${groups.length}` : 'all';
  return { curves, note: `Each curve is the mean over the runs of a row of the first table: ${which}.` };
}

const formatNames = { csv: 'CSV', markdown: 'Markdown', latex: 'LaTeX' };
const extensions = { csv: 'csv', markdown: 'md', latex: 'tex' };

const bestNote =
  '“Best on test” is the best epoch as chosen on the test split, and therefore too high; report the last epoch.';
const testNote =
  "Welch's t-test of the last top-1 accuracy over seeds: p is the probability of a difference as large between equal " +
  'means. It is not corrected for several comparisons.';

/** Charts accuracy against cost, for groups whose costs differ. */
function paretoSection({ groups }: Comparison): Markup | undefined {
  const names = groupNames(groups);
  const chart = (cost: 'parameters' | 'imagesPerSecond', axis: ParetoAxis) =>
    paretoChart(
      groups.flatMap((group, i) =>
        group.lastTop1 && group[cost]
          ? [{ label: names[i] as string, accuracy: group.lastTop1.mean, cost: group[cost] }]
          : [],
      ),
      axis,
    );
  const charts = [
    chart('parameters', { title: 'parameters of the student', moreIsBetter: false }),
    chart('imagesPerSecond', { title: 'training images/s', moreIsBetter: true }),
  ].filter((found) => found !== undefined);
  if (charts.length === 0) return undefined;
  return html`<section><h2>Accuracy and cost</h2><div class="pareto">${charts}</div></section>`;
}
