import { join } from 'node:path';
import { createMethod, methodKinds } from '../../distill/methods/index.js';
import { SRRL, srrlOptions } from '../../distill/methods/srrl.js';
import { ConfigError } from '../../errors.js';
import { grouped, kebabCase, withoutDefaults, z } from '../../options.js';
import { type DistillSetup, distill, teacherOptions, trainOptions } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { processes, withRanks } from '../ranks.js';
import { nameOf, type SeedOptions, trainAndShow } from '../seeds.js';
import { folderName, trainTogether } from '../together.js';

/** Options of every command that trains a student. */
export const studentOptions = z.strictObject({
  ...grouped('data', {
    data: z.string().describe('data set as kind:path, such as shapes or fashion-mnist:DIR, or module:FILE'),
  }),
  ...grouped('student', {
    student: z.string().default('resnet8').describe('model to train (see srrl models), or module:FILE'),
  }),
  ...grouped('output', {
    out: z.string().optional().describe('folder for configuration, metrics, checkpoints and weights'),
  }),
  ...grouped('run', {
    overwrite: z.boolean().default(false).describe('replace a run that is in the folder'),
    resume: z
      .boolean()
      .default(false)
      .describe('resume the run in --out from its newest checkpoint; its options are those in the folder'),
    dryRun: z.boolean().default(false).describe('check and measure everything, and stop before the first step'),
    seeds: z.int().min(1).default(1).describe('number of runs with consecutive seeds, one after the other'),
  }),
  ...trainOptions.shape,
  ...grouped('output', {
    ui: z.boolean().default(false).describe('serve a page on this machine that shows the run while it trains'),
    tensorboard: z
      .string()
      .optional()
      .describe('folder for TensorBoard event files with hparams, written during training'),
    reporters: z
      .array(
        z
          .string()
          .regex(/^module:./, 'must be module:FILE, with commas between several')
          .describe('such as module:a.mjs'),
      )
      .optional()
      .describe('module:FILE of your own reporters, which receive every event, as for W&B or MLflow'),
    json: z.boolean().default(false).describe('print events as JSON lines'),
  }),
});

/** SRRL's options have flags of their own; options of other methods follow the method's name. */
const srrlFlags = withoutDefaults(srrlOptions);
const methodNames = methodKinds.map(({ name }) => name).join(', ');

/** Returns the options of the methods that `--method` names, except SRRL's. */
function methodHelp(args: readonly string[]) {
  const at = args.findIndex((word) => word === '--method' || word.startsWith('--method='));
  const text = args[at]?.split('=')[1] ?? args[at + 1] ?? '';
  const kind = methodKinds.find(({ name }) => at >= 0 && name === text.split(/[:+]/)[0]);
  if (kind)
    return { heading: `Options of ${kind.name}, as in --method ${kind.name}:name=value`, options: kind.options };
  return undefined;
}

export const distillCommand = defineCommand({
  name: 'distill',
  summary: 'train a student from a teacher, by SRRL or another method',
  configFile: true,
  options: z.strictObject({
    ...grouped('teacher', {
      teacher: z.string().describe('file of torch.export.save or TorchScript, model:weights.pth, or a run folder'),
      tap: z.string().optional().describe("module path of the teacher's classifier, if it is not found automatically"),
    }),
    ...grouped('method', {
      method: z
        .string()
        .default('srrl')
        .describe(
          `${methodNames}, several as in kd:temperature=2+at, or module:FILE; --method NAME --help shows its options`,
        ),
    }),
    ...studentOptions.shape,
    ...grouped('student', {
      students: z
        .array(z.string())
        .min(2)
        .optional()
        .describe('several models, trained side by side on the same views from one pass through the teacher'),
    }),
    ...grouped('run', {
      together: z
        .boolean()
        .default(false)
        .describe(
          'train the runs of --seeds side by side, on the views of the first and from one pass through the teacher',
        ),
    }),
    ...teacherOptions.shape,
    ...grouped('srrl', srrlFlags.shape),
  }),
  examples: [
    'srrl distill --data shapes --teacher assets/shapes-teacher.pt --student resnet8 --out runs/a',
    'srrl distill --data cifar100:DIR --teacher wrn_40_2:wrn_40_2.pth --student wrn_16_2 --epochs 240 --schedule step',
    'srrl distill --config recipes/cifar100/wrn_40_2-wrn_16_2.yaml --data cifar100:DIR --teacher wrn_40_2.pt',
    'srrl distill --data shapes --teacher assets/shapes-teacher.pt --method kd:temperature=2 --seeds 3',
    'srrl distill --data shapes --teacher assets/shapes-teacher.pt --students resnet8,resnet14 --out runs/b',
  ],
  moreHelp: methodHelp,
  async run({ json, ui, tensorboard, reporters, seeds, students, together, method, ...rest }) {
    const { flags, setup } = separate(rest);
    const chosen = withFlags(method, flags);
    if (students || together) {
      const common = { ...setup, method: chosen } as unknown as DistillSetup;
      const chosenSeeds = students ? [] : consecutive(common.seed ?? 0, seeds);
      if (students && seeds > 1)
        throw new ConfigError('--students and --seeds cannot be used at once: run one seed after the other.');
      if (processes() > 1)
        throw new ConfigError('--students and --together are for one process: run the students one after the other.');
      const members = membersOf(common, { students: students ?? [], seeds: chosenSeeds });
      const name = nameOf({ ...setup, student: 'students' });
      const { out, dryRun = false } = common;
      await trainTogether(members, { json, ui, tensorboard, reporters, name, out, dryRun });
      return;
    }
    const start = (options: SeedOptions) =>
      distill({ ...(setup as unknown as DistillSetup), ...options, method: chosen });
    const plan = {
      command: 'distill' as const,
      json,
      ui,
      tensorboard,
      reporters,
      seeds,
      setup,
    };
    await withRanks(rest.device, () => trainAndShow(start, plan));
  },
});

const consecutive = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Returns the setup of each student by its name, which is also the name of its folder. */
function membersOf(
  common: DistillSetup,
  { students, seeds }: { students: string[]; seeds: number[] },
): Record<string, DistillSetup> {
  const changes = [
    ...students.map((student) => [student, { student }] as const),
    ...seeds.map((seed) => [`seed-${seed}`, { seed }] as const),
  ];
  const { out } = common;
  const member = (name: string, change: Partial<DistillSetup>) => [
    name,
    { ...common, ...change, ...(out !== undefined && { out: join(out, folderName(name)) }) },
  ];
  return Object.fromEntries(changes.map(([name, change]) => member(name, change)));
}

function separate(values: Record<string, unknown>): {
  flags: Record<string, unknown>;
  setup: Record<string, unknown>;
} {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const isFlag = ([name]: [string, unknown]) => Object.hasOwn(srrlFlags.shape, name);
  return {
    flags: Object.fromEntries(given.filter(isFlag)),
    setup: Object.fromEntries(given.filter((entry) => !isFlag(entry))),
  };
}

/** Returns the method as text, so that the run can use a thread of its own. */
function withFlags(method: string, flags: Record<string, unknown>): string {
  const given = Object.entries(flags);
  if (given.length === 0) return method;
  if (method !== new SRRL().name) {
    const names = given.map(([name]) => `--${kebabCase(name)}`).join(', ');
    throw new ConfigError(
      `${names} belong to the method srrl alone; write the options behind a method's name, as in --method kd:temperature=2.`,
    );
  }
  // Refuses a wrong value here, where the error can name the flag.
  createMethod(method, flags);
  return `${method}:${given.map(([name, value]) => `${name}=${value}`).join()}`;
}
