import { z } from '../../options.js';
import { groupTable, runTable } from '../../report/compare-tables.js';
import { compareFolders } from '../../report/index.js';
import { table } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

export const compareCommand = defineCommand({
  name: 'compare',
  summary: 'put runs beside each other, with mean and spread over seeds',
  arguments: [{ syntax: '<run...>', description: 'run folders' }],
  options: z.strictObject({
    html: z.string().optional().describe('file for a page with the curves of all runs over each other'),
    json: z.boolean().default(false).describe('result as JSON on standard output'),
  }),
  examples: ['srrl compare runs/a runs/b', 'srrl compare runs/seed-* --html comparison.html'],
  async run({ html, json }, paths) {
    const comparison = compareFolders(paths, html === undefined ? {} : { html });
    if (json) return console.log(JSON.stringify(comparison));
    const runs = runTable(comparison);
    const groups = groupTable(comparison);
    console.log(table(runs.head, runs.rows));
    if (groups.rows.length < runs.rows.length) console.log(table(groups.head, groups.rows));
    if (html !== undefined) console.log(html);
  },
});
