/** The report of a run: one file with its curves, mistakes, configuration and results. */
import { worstAndBest } from '../analysis/ranking.js';
import { runCharts } from './charts.js';
import { confusionTable } from './confusion.js';
import { exampleTable } from './examples.js';
import { figureList, figuresOf } from './figures.js';
import { html, type Markup } from './markup.js';
import { digits, page, tableOf } from './page.js';
import { mixUps, type RunAnalysis } from './run-analysis.js';
import { bestEpoch, evaluatedEpochs, type RunRecords, showsTop5 } from './run-records.js';
import { dateText, durationText, percent } from './terminal.js';

/**
 * Returns the report of a run's records as the text of an HTML file. The file makes no network requests, and text from
 * the records is always escaped.
 */
export function reportPage(run: RunRecords): string {
  const { start } = run;
  const body = html`<h1>${run.name}</h1>
<p class="quiet">${headline(run)}</p>
${figureList(figuresOf(run))}
<section><h2>Curves</h2><div id="charts"></div></section>
<section class="tables">
<div><h2>Results</h2>${tableOf(['measure', 'result'], resultRows(run), 'results')}
<p class="quiet">“Best on test” is chosen on the test split and is therefore too high: do not report it.</p></div>
${start?.provenance && detailTable('Provenance', start.provenance, 'provenance')}
${start?.environment && detailTable('Environment', start.environment, 'environment')}
</section>
${run.analysis && analysisSection(run.analysis)}
<section><h2>Epochs</h2>${epochTable(run)}</section>
<section class="tables">${detailTable('Configuration', run.config, 'config')}</section>`;
  return page({ title: `${run.name} - srrl`, body, data: runCharts(run), script: 'drawCharts(data);' });
}

const detailTable = (title: string, values: Record<string, unknown>, id: string): Markup =>
  html`<div><h2>${title}</h2>${tableOf(['name', 'value'], valueRows(values), id)}</div>`;

/** Summarizes a run in one line: method, networks, data and progress. */
export function headline({ config, epochs, end }: RunRecords): string {
  const done = epochs.at(-1);
  const asked = done?.epochs ?? config.epochs;
  const state = end ? (end.stopped ? `stopped (${end.stopped})` : 'finished') : 'not finished';
  const teacher = config.teacher === undefined ? '' : ` from ${valueText(config.teacher)}`;
  return `${valueText(config.method)}: ${valueText(config.student)}${teacher} on ${valueText(config.data)}; ${done?.epoch ?? 0} of ${asked === undefined ? '?' : valueText(asked)} epochs, ${state}`;
}

/** Returns the rows of the table of results. */
export function resultRows(run: RunRecords): string[][] {
  const { start, end, epochs } = run;
  const last = evaluatedEpochs(run).at(-1);
  const lastTitle = `last ${last === epochs.at(-1) ? '' : 'evaluated '}epoch (${last?.epoch})`;
  const best = bestEpoch(run);
  const seconds = end?.seconds ?? epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const accuracies = (title: string, measured?: { top1: number; top5: number }): string[][] =>
    measured
      ? [
          [`${title}, top-1`, percent(measured.top1)],
          ...(showsTop5(run) ? [[`${title}, top-5`, percent(measured.top5)]] : []),
        ]
      : [];
  return [
    ...accuracies('student kept', end && end.test.count > 0 ? end.test : undefined),
    ...accuracies(lastTitle, last?.test),
    ...(last ? [[`${lastTitle}, test cross-entropy`, digits(last.test.loss)]] : []),
    ...accuracies(`best on test (epoch ${best?.epoch})`, best?.test),
    ...accuracies('teacher', start?.teacher),
    ...(start ? [['student, parameters', start.parameters.toLocaleString('en')]] : []),
    ...(start?.time ? [['started', dateText(start.time)]] : []),
    ['training time', durationText(seconds)],
  ];
}

const valueText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '-' : JSON.stringify(value);

const valueRows = (values: Record<string, unknown>): string[][] =>
  Object.entries(values).map(([key, value]) => [key, valueText(value)]);

function epochTable(run: RunRecords): Markup {
  const { epochs } = run;
  const top5 = showsTop5(run);
  const terms = [...new Set(epochs.flatMap(({ terms }) => Object.keys(terms)))];
  const judged = epochs.some(({ trainTop1 }) => trainTop1 !== undefined);
  const validated = epochs.some(({ validation }) => validation);
  const head = [
    'epoch',
    'lr',
    'loss',
    ...terms,
    ...(judged ? ['training top-1'] : []),
    ...(validated ? ['validation top-1'] : []),
    'test top-1',
    ...(top5 ? ['test top-5'] : []),
    'test loss',
  ];
  const rows = epochs.map((epoch) => [
    String(epoch.epoch),
    digits(epoch.lr),
    digits(epoch.loss),
    ...terms.map((term) => (term in epoch.terms ? digits(epoch.terms[term] as number) : '-')),
    ...(judged ? [epoch.trainTop1 === undefined ? '-' : percent(epoch.trainTop1)] : []),
    ...(validated ? [epoch.validation ? percent(epoch.validation.top1) : '-'] : []),
    epoch.test ? percent(epoch.test.top1) : '-',
    ...(top5 ? [epoch.test ? percent(epoch.test.top5) : '-'] : []),
    epoch.test ? digits(epoch.test.loss) : '-',
    digits(epoch.imagesPerSecond),
    durationText(epoch.seconds),
  ]);
  return tableOf([...head, 'images/s', 'time'], rows, 'epochs');
}

/** How many of the most frequent mix-ups are shown. */
const shown = 10;

function analysisSection(analysis: RunAnalysis): Markup {
  const { overall, cka, split, teacher, student } = analysis;
  const { worst, best } = worstAndBest(analysis.classes);
  const title = best.length > 0 ? 'Worst classes' : 'Classes, worst first';
  const classes = (list: RunAnalysis['classes'], id: string) =>
    tableOf(
      ['class', 'images', 'student', 'teacher', 'same'],
      list.map((one) => [
        one.name,
        String(one.count),
        shareText(one.studentAccuracy),
        shareText(one.teacherAccuracy),
        shareText(one.agreement),
      ]),
      id,
    );
  const examplesOf = (list: RunAnalysis['classes'], heading: string, id: string) => {
    const table = exampleTable(list, analysis, id);
    return (
      table &&
      html`<h2>${heading}</h2>
<p class="quiet">Those of which the student is surest, with the probability that it and the teacher give to what they see.</p>${table}`
    );
  };
  const pairs = mixUps(analysis).slice(0, shown);
  return html`<section><h2>Student and teacher on ${overall.count} ${split} images</h2>
${tableOf(
  ['measure', 'value'],
  [
    ['same prediction', shareText(overall.agreement)],
    ['student, top-1', percent(100 * student.accuracy)],
    ['teacher, top-1', percent(100 * teacher.accuracy)],
    ['KL(teacher || student)', overall.klDivergence === null ? '-' : digits(overall.klDivergence)],
    ['linear CKA of features', cka === null ? '-' : digits(cka)],
  ],
  'agreement',
)}
<div class="tables">
<div><h2>${title}</h2>${classes(worst, 'worst')}</div>
${best.length > 0 ? html`<div><h2>Best classes</h2>${classes(best, 'best')}</div>` : undefined}
<div><h2>Most frequent mistakes</h2>${tableOf(
    ['class', 'taken for', 'images'],
    pairs.map(({ label, taken, count }) => [label, taken, String(count)]),
    'mistakes',
  )}</div>
</div>
${examplesOf(worst, `${title}, in pictures`, 'worst-examples')}
${examplesOf(best, 'Best classes, in pictures', 'best-examples')}
${confusionTable(analysis)}</section>`;
}

const shareText = (share: number | null): string => (share === null ? '-' : percent(100 * share));
