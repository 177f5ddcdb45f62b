/** The part of an analysis (srrl analyze) that a report shows. */
import { existsSync, readFileSync } from 'node:fs';
import { FileError, messageOf } from '../errors.js';
import { problemIn } from '../expectation.js';
import { z } from '../options.js';

const share = z.number().nullable();
const network = z.object({ accuracy: z.number(), confusion: z.array(z.array(z.number())) });

const verdict = z.object({ predicted: z.int().min(0), confidence: z.number() });
const example = z.object({
  label: z.int().min(0),
  student: verdict,
  teacher: verdict,
  image: z.string().regex(/^data:image\/(webp|png);base64,[A-Za-z0-9+/]+=*$/, 'is not an embedded image'),
});

const runAnalysis = z
  .object({
    split: z.string(),
    overall: z.object({ count: z.number(), agreement: share, klDivergence: z.number().nullable() }),
    cka: z.number().nullable(),
    teacher: network,
    student: network,
    classes: z.array(
      z.object({
        name: z.string(),
        count: z.number(),
        agreement: share,
        teacherAccuracy: share,
        studentAccuracy: share,
      }),
    ),
    // Older analyses have no examples.
    examples: z.array(example).default([]),
  })
  .refine(
    ({ classes, student }) => [student.confusion, ...student.confusion].every((row) => row.length === classes.length),
    'the confusion matrix is not as wide and high as there are classes',
  )
  .refine(
    ({ classes, examples }) =>
      examples.every(({ label, student, teacher }) =>
        [label, student.predicted, teacher.predicted].every((number) => number < classes.length),
      ),
    'an example is of a class that does not exist',
  );

/** Shares and accuracies are 0..1; confusion is [label][prediction], counted in images; see src/analysis/record.ts. */
export type RunAnalysis = z.output<typeof runAnalysis>;
export type ClassAnalysis = RunAnalysis['classes'][number];
export type Example = RunAnalysis['examples'][number];

/** Reads an analysis; undefined if there is no such file. Throws FileError if the file is not an analysis. */
export function readAnalysis(file: string): RunAnalysis | undefined {
  if (!existsSync(file)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new FileError(`${file}, line 1: ${messageOf(error)}. Write it again with srrl analyze.`, { cause: error });
  }
  const result = runAnalysis.safeParse(value);
  if (result.success) return result.data;
  const wrong = problemIn(runAnalysis, value, result.error);
  throw new FileError(`${file}, line 1: ${wrong}. Write it again with srrl analyze.`);
}

/** Returns which classes are mistaken for which others, most frequent first, without the diagonal and zeros. */
export function mixUps({ classes, student }: RunAnalysis): { label: string; taken: string; count: number }[] {
  const nameOf = (index: number) => classes[index]?.name ?? '';
  return student.confusion
    .flatMap((row, i) => row.map((count, j) => ({ label: nameOf(i), taken: nameOf(j), count: i === j ? 0 : count })))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
}
