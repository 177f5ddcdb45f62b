/** Students that are networks of the user's own: made again by a file, or by whoever loads them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve, sep } from 'node:path';
import { ConfigError, FileError, messageOf } from '../errors.js';
import { Classifier, type ModelOptions } from '../models/index.js';
import type { StudentCard } from './student-card.js';

/** Before the path of a file whose export is the thing itself. */
export const modulePrefix = 'module:';

/** Makes a network from what it is for. */
export type MakeStudent = (options: Required<ModelOptions>) => Classifier;

/** What the card of `file` says of the module that makes its student. */
export function moduleFor(student: string, file: string): NonNullable<StudentCard['module']> {
  const path = relative(dirname(resolve(file)), resolve(student.slice(modulePrefix.length)));
  return { file: path.split(sep).join('/'), export: 'default' };
}

/**
 * The network of a card that no registry knows: made by `wanted` (`module:FILE`, a function, or the network itself), or
 * else by the module that the card names. Throws FileError where neither can.
 */
export function ownNetwork(
  file: string,
  card: StudentCard,
  options: Required<ModelOptions>,
  wanted: string | MakeStudent | Classifier | undefined,
): Classifier {
  if (wanted instanceof Classifier) return wanted;
  if (typeof wanted === 'function') return wanted(options);
  if (wanted !== undefined && !wanted.startsWith(modulePrefix))
    throw new ConfigError(`The model '${wanted}' of ${file} must be module:FILE, as in module:./network.mjs.`);
  if (wanted !== undefined) return fromModule(file, resolve(wanted.slice(modulePrefix.length)), 'default', options);
  const places = placesOf(file, card);
  const path = places.find((place) => existsSync(place)) ?? places[0];
  if (path !== undefined) return fromModule(file, path, card.module?.export ?? 'default', options);
  throw new FileError(
    `${file} holds the weights of ${card.model}, an object of the program that trained it. ${remedy}.`,
  );
}

/** Where its module may be: from the student's folder, or as the run was given it. */
function placesOf(file: string, { model, module }: StudentCard): string[] {
  return [
    ...(module ? [resolve(dirname(file), module.file)] : []),
    ...(model.startsWith(modulePrefix) ? [resolve(model.slice(modulePrefix.length))] : []),
  ];
}

const remedy =
  'Pass --model module:FILE, a file whose default export makes the network; in a program, loadStudent(path, { model })';

/** Modules are loaded synchronously, as CommonJS always was and ES modules are from Node.js 20.19 on. */
function fromModule(file: string, path: string, name: string, options: Required<ModelOptions>): Classifier {
  if (!existsSync(path))
    throw new FileError(`${file} holds a student whose network ${path} made, and that file does not exist. ${remedy}.`);
  let made: unknown;
  try {
    const exported = createRequire(import.meta.url)(path) as Record<string, unknown>;
    // A CommonJS module may be the function itself.
    const make = exported[name] ?? (name === 'default' ? exported : undefined);
    if (typeof make !== 'function') throw new Error(`its export '${name}' is not a function that makes a network`);
    made = (make as MakeStudent)(options);
  } catch (error) {
    throw new FileError(`The network of ${file} cannot be made by ${path}: ${messageOf(error)}. ${remedy}.`, {
      cause: error,
    });
  }
  if (typeof (made as Partial<Classifier> | undefined)?.forwardFeatures === 'function') return made as Classifier;
  throw new FileError(`The export '${name}' of ${path} made no Classifier for ${file}. ${remedy}.`);
}
