/** Reads the other seeds of a run: `--seeds` makes the folders seed-0, seed-1, ... next to each other. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readStudentCard, type StudentCard } from '../distill/saved-student.js';
import { SrrlError } from '../errors.js';

interface Statistic {
  mean: number;
  /** Sample standard deviation. */
  spread: number;
}

/** Accuracy in percent over runs that differ only in their seed. */
export interface SeedsRecord {
  count: number;
  top1: Statistic;
  top5: Statistic;
}

const seedFolder = /^seed-\d+$/;

/** Returns the accuracy over the seeds of a run; empty if there is only one, or others were trained differently. */
export function seedsAround(run: string): { seeds?: SeedsRecord } {
  const folder = resolve(run);
  if (!seedFolder.test(basename(folder)) || !existsSync(folder)) return {};
  const own = cardOf(folder);
  const names = readdirSync(dirname(folder)).filter((name) => seedFolder.test(name));
  const cards = names.map((name) => cardOf(join(dirname(folder), name)));
  const accuracies = cards.flatMap((card) =>
    card?.accuracy && own && isSameTraining(card, own) ? [card.accuracy] : [],
  );
  if (accuracies.length < 2) return {};
  const statistic = (name: 'top1' | 'top5') => statisticOf(accuracies.map((accuracy) => accuracy[name]));
  return { seeds: { count: accuracies.length, top1: statistic('top1'), top5: statistic('top5') } };
}

function cardOf(folder: string): StudentCard | undefined {
  try {
    return readStudentCard(folder);
  } catch (error) {
    if (error instanceof SrrlError) return undefined;
    throw error;
  }
}

function isSameTraining(a: StudentCard, b: StudentCard): boolean {
  const facts = ({ model, data, method, teacher, accuracy }: StudentCard) =>
    JSON.stringify([model, data, method, teacher, accuracy?.split, accuracy?.count]);
  return facts(a) === facts(b);
}

function statisticOf(values: number[]): Statistic {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, spread: Math.sqrt(squares / (values.length - 1)) };
}
