import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../native.js';
import { runNode } from '../processes.js';
import { type Case, milliseconds, type Suite } from '../suite.js';

const moduleOf = (name: string): string => JSON.stringify(pathToFileURL(join(packageRoot, 'dist', `${name}.js`)).href);

/** What a program does first; the same is in bench/peers/start.py. */
const programs: Record<string, string> = {
  'a first tensor': `import torch from ${moduleOf('torch')}; torch.zeros([1]);`,
  'nothing at all': '',
};

export const startSuite: Suite = {
  name: 'start',
  summary: 'a process from its start to its end',
  peer: 'start.py',
  rounds: 7,
  cases: () =>
    Object.entries(programs).map(
      ([name, program]): Case => ({
        name,
        unit: 'ms',
        better: 'lower',
        peers: [{ name: 'Python', variant: name }],
        open: () => ({
          question: {},
          measure: () => milliseconds(() => runNode(['--input-type=module', '--eval', program])),
        }),
      }),
    ),
};
