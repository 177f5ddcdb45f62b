/** TensorBoard's event files: TFRecord frames around protocol buffers of type tensorflow.Event. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createFileRegistry, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import crc32c from 'crc-32/crc32c.js';
import { FileError, messageOf } from '../errors.js';
import type { RunRecords } from './run-records.js';

const optional = 'LABEL_OPTIONAL';

/** What of tensorflow/core/util/event.proto and framework/summary.proto a scalar needs. */
const descriptor = fromJson(FileDescriptorProtoSchema, {
  name: 'event.proto',
  package: 'tensorflow',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Event',
      field: [
        { name: 'wall_time', jsonName: 'wallTime', number: 1, label: optional, type: 'TYPE_DOUBLE' },
        { name: 'step', jsonName: 'step', number: 2, label: optional, type: 'TYPE_INT64' },
        {
          name: 'file_version',
          jsonName: 'fileVersion',
          number: 3,
          label: optional,
          type: 'TYPE_STRING',
          oneofIndex: 0,
        },
        {
          name: 'summary',
          jsonName: 'summary',
          number: 5,
          label: optional,
          type: 'TYPE_MESSAGE',
          typeName: '.tensorflow.Summary',
          oneofIndex: 0,
        },
      ],
      oneofDecl: [{ name: 'what' }],
    },
    {
      name: 'Summary',
      field: [
        {
          name: 'value',
          jsonName: 'value',
          number: 1,
          label: 'LABEL_REPEATED',
          type: 'TYPE_MESSAGE',
          typeName: '.tensorflow.Summary.Value',
        },
      ],
      nestedType: [
        {
          name: 'Value',
          field: [
            { name: 'tag', jsonName: 'tag', number: 1, label: optional, type: 'TYPE_STRING' },
            {
              name: 'simple_value',
              jsonName: 'simpleValue',
              number: 2,
              label: optional,
              type: 'TYPE_FLOAT',
              oneofIndex: 0,
            },
          ],
          oneofDecl: [{ name: 'value' }],
        },
      ],
    },
  ],
});

/** @internal */
export const eventSchema = (() => {
  const found = createFileRegistry(descriptor, () => undefined).getMessage('tensorflow.Event');
  if (!found) throw new FileError('The description of tensorflow.Event holds no such message.');
  return found;
})();

/** CRC-32C of the bytes, rotated right by 15 bits and moved by a constant, as TFRecord stores it. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Length (uint64), its checksum, the bytes, theirs; little-endian. */
export function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(16 + bytes.length);
  framed.writeBigUInt64LE(BigInt(bytes.length), 0);
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8);
  framed.set(bytes, 12);
  framed.writeUInt32LE(maskedCrc(bytes), 12 + bytes.length);
  return framed;
}

/** @internal An event, in protobuf's JSON, as a frame. */
export const encodeEvent = (event: JsonObject): Buffer => frame(toBinary(eventSchema, fromJson(eventSchema, event)));

let files = 0;

/** Writes scalars to a new event file in a folder; each is on disk's way at once. Throws FileError where the folder cannot be written. */
export class EventWriter {
  readonly file: string;
  readonly #descriptor: number;

  /** @param began seconds since 1970; it is in the file's name and in its first event. Default: now. */
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
   * @param tag what stands before a slash is the group
   * @param value is stored as float32
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

/** The epochs of a run as an event file in `folder`; steps are epochs, times those of the records. Returns the file. */
export function writeTensorBoard(run: RunRecords, folder: string): string {
  const secondsOf = (time?: string) => (time === undefined ? Date.now() : Date.parse(time)) / 1000;
  const writer = new EventWriter(folder, { began: secondsOf(run.start?.time) });
  try {
    for (const { epoch, time, loss, terms, trainTop1, validation, test, lr, imagesPerSecond } of run.epochs) {
      const scalars: Record<string, number> = {
        'train/loss': loss,
        ...Object.fromEntries(Object.entries(terms).map(([name, value]) => [`train/terms/${name}`, value])),
        ...(trainTop1 !== undefined && { 'train/top1': trainTop1 }),
        ...(validation && { 'validation/top1': validation.top1, 'validation/top5': validation.top5 }),
        ...(test && { 'test/top1': test.top1, 'test/top5': test.top5, 'test/loss': test.loss }),
        lr,
        images_per_second: imagesPerSecond,
      };
      for (const [tag, value] of Object.entries(scalars)) writer.scalar(tag, value, epoch, secondsOf(time));
    }
  } finally {
    writer.close();
  }
  return writer.file;
}
