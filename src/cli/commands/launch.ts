import { z } from '../../options.js';
import { defineCommand } from '../command.js';
import { launch } from '../launch.js';

export const launchCommand = defineCommand({
  name: 'launch',
  summary: 'run a command in several processes that train together, on one machine or many',
  arguments: [{ syntax: '<command...>', description: 'command that each process runs, after --' }],
  options: z.strictObject({
    nproc: z.int().min(1).default(1).describe('processes on this machine'),
    nnodes: z.int().min(1).default(1).describe('machines; start the same command on each'),
    nodeRank: z.int().min(0).default(0).describe('rank of this machine, from 0'),
    master: z
      .string()
      .optional()
      .describe('name or address of machine 0 with a port, as in node0:29500; default: this machine and a free port'),
    maxRestarts: z
      .int()
      .min(0)
      .default(0)
      .describe('how often all processes are restarted from the last checkpoint when one fails'),
    timeout: z.number().positive().default(600).describe('seconds that processes wait for each other'),
  }),
  examples: [
    'srrl launch --nproc 2 -- demo',
    'srrl launch --nproc 4 --max-restarts 3 -- distill --data shapes --teacher assets/shapes-teacher.pt --out runs/a',
    'srrl launch --nproc 8 --nnodes 2 --node-rank 0 --master node0:29500 -- distill --config run.yaml',
  ],
  run: (options, command) => launch(options, command),
});
