/** Students with the user's own network, which a module file or the caller must create again. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve, sep } from 'node:path';
import { ConfigError, FileError, messageOf } from '../errors.js';
import { Classifier, type ModelOptions } from '../models/index.js';
import type { StudentCard } from './student-card.js';

/** Prefix of the path of a file whose default export is used. */
export const modulePrefix = 'module:';

/** Creates a network for these classes, channels and image size. */
export type MakeStudent = (options: Required<ModelOptions>) => Classifier;

/** Returns the card's entry about the module that creates the student in `file`. */
export function moduleFor(student: string, file: string): NonNullable<StudentCard['module']> {
  const path = relative(dirname(resolve(file)), resolve(student.slice(modulePrefix.length)));
  return { file: path.split(sep).join('/'), export: 'default' };
}

/**
 * Creates a network that is not in the registry: by `wanted` (`module:FILE`, a function, or the network itself), or by
 * the module that the card names. Throws FileError if neither can.
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

/** Returns the possible paths of the module: relative to the student's folder, or as passed to the run. */
function placesOf(file: string, { model, module }: StudentCard): string[] {
  return [
    ...(module ? [resolve(dirname(file), module.file)] : []),
    ...(model.startsWith(modulePrefix) ? [resolve(model.slice(modulePrefix.length))] : []),
  ];
}

const remedy =
  'Pass --model module:FILE, a file whose default export makes the network; in a program, loadStudent(path, { model })';

/** Loads a module synchronously: CommonJS in every Node.js, ES modules from 20.19 on. */
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
