/** The protocol buffers of TensorBoard that scalars and hyperparameters need. */
import { createFileRegistry, fromJson } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { FileError } from '../errors.js';

/** Returns the descriptor of a field of a message. */
function field(name: string, number: number, type: string, more: { typeName?: string; oneofIndex?: number } = {}) {
  const jsonName = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return { name, jsonName, number, label: 'LABEL_OPTIONAL', type: `TYPE_${type}`, ...more };
}

const repeated = (one: ReturnType<typeof field>) => ({ ...one, label: 'LABEL_REPEATED' });

/** The parts in use of tensorflow/core/util/event.proto and framework/summary.proto. */
const descriptor = fromJson(FileDescriptorProtoSchema, {
  name: 'event.proto',
  package: 'tensorflow',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Event',
      field: [
        field('wall_time', 1, 'DOUBLE'),
        field('step', 2, 'INT64'),
        field('file_version', 3, 'STRING', { oneofIndex: 0 }),
        field('summary', 5, 'MESSAGE', { typeName: '.tensorflow.Summary', oneofIndex: 0 }),
      ],
      oneofDecl: [{ name: 'what' }],
    },
    {
      name: 'SummaryMetadata',
      field: [field('plugin_data', 1, 'MESSAGE', { typeName: '.tensorflow.SummaryMetadata.PluginData' })],
      nestedType: [{ name: 'PluginData', field: [field('plugin_name', 1, 'STRING'), field('content', 2, 'BYTES')] }],
    },
    {
      name: 'Summary',
      field: [repeated(field('value', 1, 'MESSAGE', { typeName: '.tensorflow.Summary.Value' }))],
      nestedType: [
        {
          name: 'Value',
          field: [
            field('tag', 1, 'STRING'),
            field('simple_value', 2, 'FLOAT', { oneofIndex: 0 }),
            field('metadata', 9, 'MESSAGE', { typeName: '.tensorflow.SummaryMetadata' }),
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

type HParam = number | boolean | string;

/** Writes a nested message. */
function inside(writer: BinaryWriter, number: number, write: (inner: BinaryWriter) => void): BinaryWriter {
  writer.tag(number, WireType.LengthDelimited).fork();
  write(writer);
  return writer.join();
}

/** Field numbers of tensorboard/plugins/hparams/plugin_data.proto and api.proto. */
const plugin = { experiment: 2, start: 3, end: 4 };
const experiment = { hparams: 4, metrics: 5 };
const [success, failure] = [1, 2];

/** Returns HParamsPluginData with the option names and the metric tags by which runs are compared. */
export function experimentOf(options: readonly string[], metrics: readonly string[]): Uint8Array {
  return inside(new BinaryWriter(), plugin.experiment, (inner) => {
    for (const name of options)
      inside(inner, experiment.hparams, (one) => one.tag(1, WireType.LengthDelimited).string(name));
    for (const tag of metrics)
      inside(inner, experiment.metrics, (one) =>
        inside(one, 1, (metric) => metric.tag(2, WireType.LengthDelimited).string(tag)),
      );
  }).finish();
}

/** Returns HParamsPluginData with the options of a run and its start, in seconds since 1970. */
export function sessionStart(values: Record<string, HParam>, began: number): Uint8Array {
  return inside(new BinaryWriter(), plugin.start, (inner) => {
    for (const [name, value] of Object.entries(values))
      inside(inner, 1, (entry) => {
        entry.tag(1, WireType.LengthDelimited).string(name);
        inside(entry, 2, (writer) => writeValue(writer, value));
      });
    inner.tag(5, WireType.Bit64).double(began);
  }).finish();
}

/** Returns HParamsPluginData with the success and the end of a run, in seconds since 1970. */
export function sessionEnd(well: boolean, ended: number): Uint8Array {
  return inside(new BinaryWriter(), plugin.end, (inner) => {
    inner.tag(1, WireType.Varint).int32(well ? success : failure);
    inner.tag(2, WireType.Bit64).double(ended);
  }).finish();
}

/** Writes a google.protobuf.Value. */
function writeValue(writer: BinaryWriter, value: HParam): void {
  if (typeof value === 'number') writer.tag(2, WireType.Bit64).double(value);
  else if (typeof value === 'string') writer.tag(3, WireType.LengthDelimited).string(value);
  else writer.tag(4, WireType.Varint).bool(value);
}
