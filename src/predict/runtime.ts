/** Computes the logits of a student, whatever its file format. */
import { existsSync, statSync } from 'node:fs';
import { ConfigError, FileError } from '../errors.js';
import { kindOfFile } from '../files/index.js';
import type { Tensor } from '../tensor/index.js';
import type { ReadyCard } from './card.js';
import { openScript } from './script-runtime.js';
import { openStudent } from './student-runtime.js';

/** A network that is ready to predict. */
export interface Runtime {
  /** The file that it was loaded from. */
  readonly file: string;
  readonly card: ReadyCard;
  readonly device: string;
  /** Returns logits [N, K] of normalized images [N, C, H, W] on its device, for any N. Call it inside a scope. */
  run(images: Tensor): Tensor | Promise<Tensor>;
  dispose(): void;
}

/** Options of {@link openRuntime}. */
export interface RuntimeOptions {
  device: string;
  /** `module:FILE`, whose default export creates the network, for a custom network whose file has moved. */
  model?: string;
  /** Data set with class names and normalization, for files of older versions that did not save them. */
  data?: string;
}

/**
 * Opens a run folder, a student.safetensors or an exported TorchScript file. Throws FileError if it is none of them.
 */
export async function openRuntime(source: string, options: RuntimeOptions): Promise<Runtime> {
  if (!existsSync(source)) throw new FileError(`${source} does not exist: give a run folder or a student.safetensors.`);
  if (statSync(source).isDirectory()) return openStudent(source, options);
  const kind = await kindOfFile(source);
  if (kind === 'safetensors') return openStudent(source, options);
  if (options.model !== undefined)
    throw new ConfigError(`${source} holds a whole network: leave out --model, which makes one for weights.`);
  if (kind === 'TorchScript') return openScript(source, options);
  throw new FileError(
    `${source} is not a student that can predict: give a run folder, a student.safetensors, or a TorchScript file that srrl export wrote.`,
  );
}
