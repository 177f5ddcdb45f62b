/** Chooses and loads the checkpoint from which a run resumes. */
import { fileOfFirst } from '../distributed/file.js';
import { FileError, messageOf } from '../errors.js';
import { loadCheckpoint, OtherRun } from './checkpoint.js';
import { damageOf, type Progress } from './checkpoint-file.js';
import type { Parts } from './prepare.js';
import { RunFolder } from './run-folder.js';
import type { Trainer } from './trainer.js';

export interface Resumed {
  /** Absent in processes that do not write. */
  folder?: RunFolder;
  progress: Progress;
  /** Messages about newer checkpoints that are damaged. */
  notices: string[];
}

/**
 * Loads the newest intact checkpoint, or that of step `wanted`, if the run resumes and has one. Damaged checkpoints are
 * renamed, so that they are not tried again. Throws FileError if none is intact, or if the run had other options.
 */
export function resumeFrom({ setup, data, config }: Parts, trainer: Trainer, wanted?: number): Resumed | undefined {
  const { out, resume = false, dryRun = false } = setup;
  if (out === undefined || !resume) return undefined;
  const folder = RunFolder.open(out, data.validation !== undefined);
  if (trainer.ranks) return resumeTogether(folder, trainer, { config, dryRun, isFirst: trainer.ranks.isFirst });
  const damaged: Damaged[] = [];
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
    const notices = noticesOf(damaged, file, dryRun ? undefined : folder);
    if (!dryRun) folder.rewind(progress.epochs, trainer.step);
    return { folder, progress, notices };
  }
  refuseIfAllDamaged(damaged, out);
  return undefined;
}

interface Damaged {
  file: string;
  why: string;
}

/** Renames damaged checkpoints, if there is a folder, and returns notices about them. */
const noticesOf = (damaged: readonly Damaged[], chosen: string, folder: RunFolder | undefined): string[] =>
  damaged.map(({ file, why }) => {
    const aside = folder ? ` The damaged file is now ${folder.setAside(file)}.` : '';
    return `${why.replace(/\.?$/, '.')} The run resumes from ${chosen} instead.${aside}`;
  });

function refuseIfAllDamaged(damaged: readonly Damaged[], out: string): void {
  if (damaged.length === 0) return;
  throw new FileError(
    `No checkpoint in ${out} can be resumed from. ${damaged.map(({ why }) => why).join(' ')}\nBegin again with --overwrite, or choose another --out.`,
  );
}

interface Together {
  config: Record<string, unknown>;
  dryRun: boolean;
  isFirst: boolean;
}

/** Resumes a group of processes: the first one chooses, and sends its checkpoint to the others. */
function resumeTogether(
  folder: RunFolder,
  trainer: Trainer,
  { config, dryRun, isFirst }: Together,
): Resumed | undefined {
  const damaged: Damaged[] = [];
  const newest = (isFirst ? folder.newestFirst() : []).find(({ file }) => {
    const why = damageOf(file);
    if (why !== undefined) damaged.push({ file, why });
    return why === undefined;
  });
  const checkpoint = fileOfFirst(newest?.file);
  if (!checkpoint) {
    refuseIfAllDamaged(damaged, folder.path);
    return undefined;
  }
  try {
    const progress = loadCheckpoint(checkpoint.path, trainer, config);
    if (!isFirst) return { progress, notices: [] };
    const notices = noticesOf(damaged, checkpoint.path, dryRun ? undefined : folder);
    if (!dryRun) folder.rewind(progress.epochs, trainer.step);
    return { folder, progress, notices };
  } finally {
    checkpoint.dispose();
  }
}

/** Returns the steps of the intact checkpoints in a folder. */
export const intactSteps = (out: string): number[] =>
  RunFolder.open(out)
    .newestFirst()
    .filter(({ file }) => damageOf(file) === undefined)
    .map(({ step }) => step);
