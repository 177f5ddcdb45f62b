import { z } from '../../options.js';
import {
  type ComparisonFormat,
  comparisonFormats,
  groupTable,
  runTable,
  significanceTable,
} from '../../report/compare-tables.js';
import { compareFolders } from '../../report/index.js';
import { wrap } from '../../report/layout.js';
import { table } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

const formats = ['table', ...(Object.keys(comparisonFormats) as ComparisonFormat[])] as const;

/** The most runs that a terminal shows individually. */
const mostRows = 60;

export const compareCommand = defineCommand({
  name: 'compare',
  summary: 'compare runs, with mean, spread and significance over seeds',
  arguments: [{ syntax: '<run...>', description: 'run folders, or folders of several runs' }],
  options: z.strictObject({
    html: z.string().optional().describe('file for a page with tables, Pareto charts and the curves of all runs'),
    format: z
      .enum(formats)
      .default('table')
      .describe('format of the result; csv, markdown and latex have one row per group'),
    json: z.boolean().default(false).describe('print the result as JSON'),
  }),
  examples: [
    'srrl compare runs/a runs/b',
    'srrl compare runs/srrl runs/kd --html comparison.html',
    'srrl compare runs/* --format latex',
  ],
  async run({ html, format, json }, paths) {
    const comparison = compareFolders(paths, html === undefined ? {} : { html });
    if (json) return console.log(JSON.stringify(comparison));
    if (format !== 'table') return void process.stdout.write(comparisonFormats[format](comparison));
    const [runs, groups, tests] = [runTable(comparison), groupTable(comparison), significanceTable(comparison)];
    const grouped = groups.rows.length < runs.rows.length;
    if (grouped && runs.rows.length > mostRows)
      console.error(`${runs.rows.length} runs: --html FILE and --json show a row for each.`);
    else console.log(table(runs.head, runs.rows));
    if (grouped) console.log(table(groups.head, groups.rows));
    if (tests.rows.length > 0) {
      console.log(
        wrap("Welch's t-test of the last top-1 over seeds, not corrected for several comparisons:", undefined, ''),
      );
      console.log(table(tests.head, tests.rows));
    }
    if (html !== undefined) console.log(html);
  },
});
