/** TensorBoard's event files: TFRecord frames around protocol buffers of type tensorflow.Event. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import crc32c from 'crc-32/crc32c.js';
import { FileError, messageOf } from '../errors.js';
import type { EpochRecord } from '../flow.js';
import type { RunRecords } from './run-records.js';
import { eventSchema, experimentOf, sessionEnd, sessionStart } from './tensorboard-events.js';

/** Returns the CRC-32C of the bytes, rotated right by 15 bits plus a constant, as TFRecord stores it. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Returns a TFRecord frame: length (uint64), its checksum, the bytes, their checksum; little-endian. */
export function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(16 + bytes.length);
  framed.writeBigUInt64LE(BigInt(bytes.length), 0);
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8);
  framed.set(bytes, 12);
  framed.writeUInt32LE(maskedCrc(bytes), 12 + bytes.length);
  return framed;
}

/** @internal Encodes an event, in protobuf's JSON form, as a frame. */
export const encodeEvent = (event: JsonObject): Buffer => frame(toBinary(eventSchema, fromJson(eventSchema, event)));

let files = 0;

/**
 * Writes scalars to a new event file in a folder, each immediately. Throws FileError if the folder cannot be written.
 */
export class EventWriter {
  readonly file: string;
  readonly #descriptor: number;

  /** @param began seconds since 1970, for the file's name and its first event. Default: now. */
  constructor(folder: string, { began = Date.now() / 1000 }: { began?: number } = {}) {
    const seconds = String(Math.floor(began)).padStart(10, '0');
    this.file = join(folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${files++}`);
    try {
      mkdirSync(folder, { recursive: true });
      this.#descriptor = openSync(this.file, 'wx');
    } catch (error) {
      throw new FileError(`${this.file} cannot be written: ${messageOf(error)}.`, { cause: error });
    }
    this.#write({ wallTime: began, fileVersion: 'brain.Event:2' });
  }

  /**
   * @param tag the part before a slash is the group
   * @param value stored as float32
   * @param wallTime seconds since 1970. Default: now.
   */
  scalar(tag: string, value: number, step: number, wallTime = Date.now() / 1000): void {
    const simpleValue = Number.isFinite(value) ? Math.fround(value) : value;
    this.#write({
      wallTime,
      step: String(step),
      summary: { value: [{ tag, simpleValue: Number.isFinite(simpleValue) ? simpleValue : String(simpleValue) }] },
    });
  }

  /** Writes the run's configuration for the HParams plugin, which compares runs. `metrics` are tags of scalars. */
  hparams(config: Record<string, unknown>, metrics: readonly string[], began = Date.now() / 1000): void {
    const values = flat(config);
    this.#hparams('_hparams_/experiment', experimentOf(Object.keys(values), metrics));
    this.#hparams('_hparams_/session_start_info', sessionStart(values, began));
  }

  /** Writes the end of the run and whether it succeeded. */
  endHparams(well: boolean, ended = Date.now() / 1000): void {
    this.#hparams('_hparams_/session_end_info', sessionEnd(well, ended));
  }

  #hparams(tag: string, content: Uint8Array): void {
    const metadata = { pluginData: { pluginName: 'hparams', content: Buffer.from(content).toString('base64') } };
    this.#write({ wallTime: Date.now() / 1000, summary: { value: [{ tag, metadata }] } });
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(event: JsonObject): void {
    try {
      writeSync(this.#descriptor, encodeEvent(event));
    } catch (error) {
      throw new FileError(`${this.file} cannot be written: ${messageOf(error)}.`, { cause: error });
    }
  }
}

/** Returns the scalars of an epoch by tag. */
export function epochScalars({ loss, terms, trainTop1, validation, test, lr, imagesPerSecond }: Scalars) {
  return {
    'train/loss': loss,
    ...Object.fromEntries(Object.entries(terms).map(([name, value]) => [`train/terms/${name}`, value])),
    ...(trainTop1 !== undefined && { 'train/top1': trainTop1 }),
    ...(validation && { 'validation/top1': validation.top1, 'validation/top5': validation.top5 }),
    ...(test && { 'test/top1': test.top1, 'test/top5': test.top5, 'test/loss': test.loss }),
    lr,
    images_per_second: imagesPerSecond,
  } as Record<string, number>;
}

type Scalars = RunRecords['epochs'][number] | EpochRecord;

/** Flattens nested options to paths; HParams only supports numbers, booleans and strings. */
function flat(values: Record<string, unknown>, prefix = ''): Record<string, number | boolean | string> {
  const entries = Object.entries(values).flatMap(([name, value]): [string, number | boolean | string][] => {
    const path = `${prefix}${name}`;
    if (value === undefined || value === null) return [];
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return [[path, value]];
    if (Array.isArray(value)) return [[path, JSON.stringify(value)]];
    return Object.entries(flat(value as Record<string, unknown>, `${path}.`));
  });
  return Object.fromEntries(entries);
}

/** Writes the epochs of a run to an event file in `folder`, as steps with their recorded times. Returns the file. */
export function writeTensorBoard(run: RunRecords, folder: string): string {
  const secondsOf = (time?: string) => (time === undefined ? Date.now() : Date.parse(time)) / 1000;
  const writer = new EventWriter(folder, { began: secondsOf(run.start?.time) });
  try {
    for (const epoch of run.epochs)
      for (const [tag, value] of Object.entries(epochScalars(epoch)))
        writer.scalar(tag, value, epoch.epoch, secondsOf(epoch.time));
  } finally {
    writer.close();
  }
  return writer.file;
}
