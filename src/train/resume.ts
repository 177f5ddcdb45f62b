/** Which checkpoint a run continues from. */
import { FileError, messageOf } from '../errors.js';
import { loadCheckpoint, OtherRun } from './checkpoint.js';
import { damageOf, type Progress } from './checkpoint-file.js';
import type { Parts } from './prepare.js';
import { RunFolder } from './run-folder.js';
import type { Trainer } from './trainer.js';

export interface Resumed {
  folder: RunFolder;
  progress: Progress;
  /** What was wrong with newer checkpoints. */
  notices: string[];
}

/**
 * Takes over the newest intact checkpoint, or that of `wanted`, where the run is to be resumed and has one. Damaged
 * ones are renamed, so that nothing takes them for the newest again. Throws FileError where none is
 * intact, or where the run had other options.
 */
export function resumeFrom({ setup, data, config }: Parts, trainer: Trainer, wanted?: number): Resumed | undefined {
  const { out, resume = false, dryRun = false } = setup;
  if (out === undefined || !resume) return undefined;
  const folder = RunFolder.open(out, data.validation !== undefined);
  const damaged: { file: string; why: string }[] = [];
  for (const { step, file } of folder.newestFirst()) {
    if (wanted !== undefined && step > wanted) {
      const why = damageOf(file);
      if (why !== undefined) damaged.push({ file, why });
      continue;
    }
    let progress: Progress;
    try {
      progress = loadCheckpoint(file, trainer, config);
    } catch (error) {
      if (!(error instanceof FileError) || error instanceof OtherRun || wanted !== undefined) throw error;
      damaged.push({ file, why: messageOf(error) });
      continue;
    }
    const notices = damaged.map(({ file: newer, why }) => {
      const aside = dryRun ? '' : ` The damaged file is now ${folder.setAside(newer)}.`;
      return `${why.replace(/\.?$/, '.')} The run resumes from ${file} instead.${aside}`;
    });
    if (!dryRun) folder.rewind(progress.epochs, trainer.step);
    return { folder, progress, notices };
  }
  if (damaged.length === 0) return undefined;
  throw new FileError(
    `No checkpoint in ${out} can be resumed from. ${damaged.map(({ why }) => why).join(' ')}\nBegin again with --overwrite, or choose another --out.`,
  );
}

/** The steps that a folder has intact checkpoints of. */
export const intactSteps = (out: string): number[] =>
  RunFolder.open(out)
    .newestFirst()
    .filter(({ file }) => damageOf(file) === undefined)
    .map(({ step }) => step);
