/** Turns a sweep file into jobs: the teachers first, then one run per point of the grids. */
import { readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { ConfigError, messageOf } from '../errors.js';
import { validate, z } from '../options.js';
import { parseYaml } from '../strict-yaml.js';
import { readConfig } from './config-file.js';

type Values = Record<string, unknown>;

const values = z.record(z.string(), z.unknown());

const runSchema = z.strictObject({
  name: z.string().optional().describe('folder of the run below that of the sweep; default: teacher-student'),
  extends: z
    .string()
    .optional()
    .describe('recipe, relative to the sweep file, whose options hold where this says none'),
  teacher: z.string().optional().describe('a name under teachers, or what --teacher takes'),
  options: values.default({}).describe('options of srrl distill, in camelCase'),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .default({})
    .describe('options with all values that they are to have, combined with each other'),
  together: z
    .boolean()
    .default(false)
    .describe('the seeds of the grid side by side, from one pass through the teacher'),
});

const sweepSchema = z.strictObject({
  out: z.string().optional().describe('folder of all runs; default: runs/ and the name of the file'),
  common: values.default({}).describe('options of all runs and teachers'),
  teachers: z
    .record(
      z.string().regex(/^[\w.-]+$/),
      z.strictObject({
        extends: z.string().optional(),
        options: values.default({}).describe('options of srrl train'),
      }),
    )
    .default({})
    .describe('teachers by name, trained before the runs that need them'),
  runs: z.array(runSchema).default([]),
});

/** One call of `srrl train` or `srrl distill`. */
export interface Job {
  command: 'train' | 'distill';
  /** Folder below that of the sweep. */
  name: string;
  folder: string;
  options: Values;
  /** Folders of the job's runs: its own, or one per seed. */
  runs: string[];
  /** Name of the job that trains its teacher. */
  needs?: string;
}

export interface SweepPlan {
  out: string;
  jobs: Job[];
}

/**
 * Reads a sweep file. `options` holds the schemas of the commands, so that a wrong option of the last run is refused
 * before the first run begins. Throws ConfigError.
 */
export function readSweep(file: string, options: Record<Job['command'], z.ZodObject>): SweepPlan {
  const sweep = validate(sweepSchema, parsed(file), file);
  const out = sweep.out ?? join('runs', basename(file, extname(file)));
  const base = (recipe: string | undefined) => (recipe === undefined ? {} : readConfig(join(dirname(file), recipe)));
  const teachers = Object.entries(sweep.teachers).map(([name, teacher]): Job => {
    const folder = join(out, 'teachers', name);
    const own = { ...sweep.common, ...base(teacher.extends), ...teacher.options };
    const { method: _, ...known } = { method: undefined, student: name, ...own };
    return { command: 'train', name: `teachers/${name}`, folder, options: known, runs: [folder] };
  });
  const runs = sweep.runs.flatMap((run) => jobsOf(run, { out, file, common: sweep.common, base, teachers }));
  const jobs = [...teachers, ...runs];
  refuseTwins(jobs, file);
  for (const { name, command, options: given } of jobs)
    validate(options[command].partial(), given, { where: `${name} of ${file}`, command });
  return { out, jobs };
}

interface Around {
  out: string;
  file: string;
  common: Values;
  base: (recipe: string | undefined) => Values;
  teachers: readonly Job[];
}

function jobsOf(run: z.output<typeof runSchema>, { out, common, base, teachers, file }: Around): Job[] {
  const trained = teachers.find(({ name }) => name === `teachers/${run.teacher}`);
  const teacher = trained?.folder ?? run.teacher;
  const fixed: Values = { ...common, ...base(run.extends), ...(teacher !== undefined && { teacher }), ...run.options };
  const prefix = run.name ?? [run.teacher, fixed.student].filter((part) => part !== undefined).join('-');
  const { seed: seeds = [], ...others } = run.grid;
  const shared = run.together && seeds.length > 1;
  if (shared && seeds.some((seed, i) => seed !== Number(seeds[0]) + i))
    throw new ConfigError(`${file}: seeds that are trained together follow each other, unlike ${seeds.join(', ')}.`);
  return pointsOf(shared ? others : run.grid).map((point): Job => {
    const name = [prefix, ...Object.entries(point).map(([option, value]) => segment(option, value))]
      .filter((part) => part !== '')
      .join('/');
    const folder = join(out, name);
    const together = shared ? { seed: seeds[0], seeds: seeds.length, together: true } : {};
    return {
      command: 'distill',
      name,
      folder,
      options: { ...fixed, ...point, ...together },
      runs: shared ? seeds.map((seed) => join(folder, `seed-${seed}`)) : [folder],
      ...(trained && { needs: trained.name }),
    };
  });
}

/** Returns all combinations; the last option changes fastest. */
function pointsOf(grid: Record<string, unknown[]>): Values[] {
  return Object.entries(grid).reduce<Values[]>(
    (points, [option, all]) => points.flatMap((point) => all.map((value) => ({ ...point, [option]: value }))),
    [{}],
  );
}

/** Returns the part of a folder's name for one value of an option. */
function segment(option: string, value: unknown): string {
  const text = (typeof value === 'string' ? value : JSON.stringify(value)).replace(/[^\w.+=-]+/g, '_');
  return option === 'method' || option === 'student' ? text : `${option}-${text}`;
}

function refuseTwins(jobs: readonly Job[], file: string): void {
  const names = jobs.map(({ name }) => name);
  const twin = names.find((name, i) => names.indexOf(name) < i);
  if (twin !== undefined)
    throw new ConfigError(`${file} asks for ${twin} twice: give one of the two another \`name\`.`);
}

function parsed(file: string): unknown {
  try {
    return parseYaml(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`The sweep ${file} cannot be read: ${messageOf(error).split('\n')[0]}`, { cause: error });
  }
}
