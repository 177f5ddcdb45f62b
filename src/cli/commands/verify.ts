import { DamagedError } from '../../errors.js';
import { z } from '../../options.js';
import { table } from '../../report/terminal.js';
import { verifyFile } from '../../train/index.js';
import { defineCommand } from '../command.js';

export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'check files against the checksums that they contain',
  arguments: [
    {
      syntax: '<path...>',
      description: "run folders, checkpoints, students, packed data sets, caches of a teacher's features, archives",
    },
  ],
  options: z.strictObject({
    json: z.boolean().default(false).describe('print the result as JSON'),
  }),
  examples: ['srrl verify runs/a', 'srrl verify a.pack teacher.pt cache/'],
  async run({ json }, paths) {
    const verdicts = (await Promise.all(paths.map((path) => verifyFile(path)))).flat();
    if (json) console.log(JSON.stringify(verdicts));
    else
      console.log(
        table(
          ['file', 'kind', 'state', 'detail'],
          verdicts.map(({ file, kind, state, detail }) => [file, kind, state, detail]),
        ),
      );
    const damaged = verdicts.filter(({ state }) => state === 'damaged');
    if (damaged.length > 0)
      throw new DamagedError(
        `Damaged files: ${damaged.length} of ${verdicts.length}. Copy or write them again; a run resumes from its newest intact checkpoint.`,
      );
  },
});
