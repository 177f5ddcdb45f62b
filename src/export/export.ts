/** Exports a student as a file for another runtime. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkCall, type Kinds } from '../call.js';
import { ConfigError, FileError, messageOf, SrrlError } from '../errors.js';
import { validate } from '../options.js';
import { asyncScope } from '../tensor/index.js';
import { cardParts, type ExportCard, type Verification } from './card.js';
import { folded } from './fold.js';
import type { Format, Network, Runtime } from './format.js';
import { checkTaken, formatFor } from './formats/index.js';
import type { Graph } from './graph.js';
import { calibrated, checkLoss } from './int8.js';
import { type ExportOptions, exportOptions, type FileOptions, fileOptions } from './options.js';
import { halved } from './precision.js';
import { withPreprocessing } from './preprocessing.js';
import { type OwnModel, openSource, type Source } from './source.js';
import { traceGraph } from './trace.js';
import { compared, comparedWeights, latencyOf, requireEqual } from './verify.js';

const kinds: Kinds<ExportOptions> = {
  withPreprocessing: 'boolean',
  fold: 'boolean',
  half: 'boolean',
  int8: 'boolean',
  opset: 'number',
  batch: 'string',
  data: 'string',
  images: 'number',
  tolerance: 'number',
  calibration: 'number',
  maxLoss: 'number',
  force: 'boolean',
  overwrite: 'boolean',
};

/** The result of {@link exportStudent}. */
export interface Exported {
  file: string;
  /** `onnx`, `torchscript`, ... */
  format: string;
  bytes: number;
  card: ExportCard;
  verification: Verification;
  /** Notices for the user, such as data that could not be opened or a runtime that is not installed. */
  notices: string[];
}

/**
 * Writes the student of a run, or a model of your own, for another runtime; the ending of `file` selects the format.
 * Runs the written file, in an independent runtime if the format has one, and compares it with the student; if they
 * differ, no file is left. Throws ConfigError for unknown endings and options that the format does not support,
 * FileError if the run has no finished student or the file cannot be written, ExportError if the format cannot express
 * an operator or the file computes different outputs.
 *
 *     await exportStudent('runs/a', 'student.onnx', { withPreprocessing: true });
 *     await exportStudent({ model, image: [3, 32, 32] }, 'model.torchscript.pt');
 */
export function exportStudent(source: string | OwnModel, file: string, options: ExportOptions = {}): Promise<Exported> {
  checkCall('exportStudent', ['source', 'file'], kinds, arguments);
  return exported(source, file, options);
}

async function exported(source: string | OwnModel, file: string, options: ExportOptions): Promise<Exported> {
  const checked = validate(exportOptions, options, 'exportStudent');
  const format = formatFor(file);
  const wanted = fileOptions.parse(
    Object.fromEntries(Object.entries(checked).filter(([name]) => name in fileOptions.shape)),
  );
  checkTaken(format, file, wanted, fileOptions.parse({}));
  if (wanted.half && wanted.int8) throw new ConfigError('Choose half or int8: a network has one precision.');
  refuseFullFolder(file, format, checked.overwrite);
  return asyncScope(async () => {
    const opened = await openSource(source, checked.data);
    const modes = [...opened.model.namedModules()].map(([, module]) => [module, module.training] as const);
    try {
      opened.model.eval();
      return await written(file, { format, source: opened, options: checked, fileOptions: wanted });
    } finally {
      for (const [module, training] of modes) module.training = training;
      opened.dispose();
    }
  });
}

interface Work {
  format: Format;
  source: Source;
  options: ReturnType<typeof exportOptions.parse>;
  fileOptions: FileOptions;
}

async function written(file: string, { format, source, options, fileOptions }: Work): Promise<Exported> {
  const network = new Student(source, fileOptions);
  if (fileOptions.int8) network.quantization = await calibrated(network, source, options);
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  try {
    await write(format, network, temporary, file);
    const verification = await verified(format, network, temporary, { file, source, options });
    const { latency: _, ...stored } = verification;
    network.verification = verification;
    network.card = { ...network.card, verified: stored, ...(network.quantized && { quantization: network.quantized }) };
    // Writes the file again, now with the verification in its card.
    rmSync(temporary, { recursive: true, force: true });
    await write(format, network, temporary, file);
    if (format.endings.length === 0) replaceFolder(temporary, file.replace(/[\\/]+$/, ''));
    else renameSync(temporary, file);
    const notices = [
      ...(source.withoutData && verification.images > 0
        ? [
            `Compared on synthetic images: the data of the run cannot be opened (${source.withoutData}). Give them with --data.`,
          ]
        : []),
      ...(verification.missing ? [verification.missing] : []),
    ];
    return { file, format: format.name, bytes: sizeOf(file), card: network.card, verification, notices };
  } finally {
    removeQuietly(temporary);
  }
}

/** Removes a path and ignores errors, because the error that led here is the one to report. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {}
}

/** The student, with its graph as the options require. */
class Student implements Network {
  readonly model;
  readonly student;
  readonly seeds;
  card: ExportCard;
  verification: Verification | undefined;
  quantization: Network['quantization'];
  quantized: ExportCard['quantization'];
  #graph: Graph | undefined;

  constructor(
    source: Source,
    readonly options: FileOptions,
  ) {
    this.model = source.model;
    this.student = source.student;
    this.seeds = source.seeds;
    this.card = { version: 1, ...source.card, ...cardParts(options) };
    const data = source.card.data;
    // Removes the local folder of the data.
    if (data) this.card = { ...this.card, data: data.replace(/:.*[\\/](?=[^\\/]+$)/, ':') };
  }

  get graph(): Graph {
    this.#graph ??= this.made();
    return this.#graph;
  }

  private made(): Graph {
    const { fold, half, int8, withPreprocessing: preprocess } = this.options;
    const traced = traceGraph(this.model, this.card.input);
    const folding = fold || int8 ? folded(traced) : traced;
    const precise = half ? halved(folding) : folding;
    return preprocess ? withPreprocessing(precise, this.card) : precise;
  }
}

async function write(format: Format, network: Network, path: string, file: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true });
    await format.write(network, path);
  } catch (error) {
    if (error instanceof SrrlError && !(error instanceof FileError)) throw error;
    throw new FileError(`${file} cannot be written: ${messageOf(error).replaceAll(path, file)}`, { cause: error });
  }
}

interface Checking extends Pick<Work, 'source' | 'options'> {
  file: string;
}

async function verified(format: Format, network: Student, path: string, { file, source, options }: Checking) {
  if (format.readBack) return comparedWeights(await format.readBack(path), network, file);
  const runtime = (await format.open?.(path, network)) as Runtime;
  try {
    const verification = await compared(runtime, network, source, options);
    requireEqual(verification, file);
    if (network.quantization) network.quantized = await checkLoss(runtime, network, source, { ...options, file });
    return { ...verification, latency: await latencyOf(runtime, network) };
  } finally {
    await runtime.dispose();
  }
}

function refuseFullFolder(file: string, format: Format, overwrite: boolean): void {
  const exists = existsSync(file);
  if (format.endings.length === 0) {
    if (exists && !statSync(file).isDirectory()) throw new ConfigError(`${file} is a file, not a folder.`);
    if (exists && !overwrite && readdirSync(file).length > 0)
      throw new ConfigError(`The folder ${file} is not empty. Choose another one, or replace it with --overwrite.`);
  }
}

/** Replaces a folder; the old one stays until the new one is in place. */
function replaceFolder(made: string, folder: string): void {
  if (!existsSync(folder)) {
    renameSync(made, folder);
    return;
  }
  const old = `${made}.old`;
  renameSync(folder, old);
  try {
    renameSync(made, folder);
  } catch (error) {
    renameSync(old, folder);
    throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

function sizeOf(path: string): number {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
