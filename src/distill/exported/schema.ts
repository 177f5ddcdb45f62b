/**
 * The parts of a torch.export program that are read, as torch/_export/serde/schema.py (version 8) defines them. Other
 * keys are ignored.
 */
import { FileError } from '../../errors.js';
import { z } from '../../options.js';

const name = z.string().max(1000);
// May exceed 2^53: the format writes 2^63 - 1 for "to the end".
const integer = z.number().refine(Number.isInteger, 'expected an integer');
const size = z.object({ as_int: z.int().nonnegative() });
const anySize = z.union([size, z.object({ as_expr: z.unknown() })]);
const named = z.object({ name });

/** A tagged union: an object with one key, which is the kind. */
export const argument = z
  .record(z.string(), z.unknown())
  .refine((union) => Object.keys(union).length === 1, 'an argument has not exactly one kind');
export type Argument = z.output<typeof argument>;

/** The content of each kind of argument; other kinds are refused by name. */
export const contents = {
  as_none: z.unknown(),
  as_tensor: named,
  as_tensors: z.array(named),
  as_optional_tensor: argument,
  as_optional_tensors: z.array(argument),
  as_int: integer,
  as_ints: z.array(integer),
  as_float: z.union([z.number(), z.enum(['Infinity', '-Infinity', 'NaN'])]),
  as_floats: z.array(z.union([z.number(), z.enum(['Infinity', '-Infinity', 'NaN'])])),
  as_bool: z.boolean(),
  as_bools: z.array(z.boolean()),
  as_string: z.string(),
  as_sym_int: argument,
  as_sym_ints: z.array(argument),
  as_sym_float: argument,
  as_sym_bool: argument,
  as_scalar_type: integer,
  as_memory_format: integer,
  as_layout: integer,
  as_device: z.object({ type: z.string() }),
};

const node = z.object({
  target: name,
  inputs: z.array(z.object({ name, arg: argument })),
  outputs: z.array(argument),
  metadata: z.record(z.string(), z.unknown()).default({}),
});
export type ProgramNode = z.output<typeof node>;

const inputSpec = z.record(z.string(), z.unknown());
const graph = z.object({
  nodes: z.array(node),
  tensor_values: z.record(z.string(), z.object({ sizes: z.array(anySize) })),
});

export const program = z.object({
  schema_version: z.object({ major: z.number(), minor: z.number() }),
  torch_version: z.string().max(100).default('an old version'),
  graph_module: z.object({
    graph,
    signature: z.object({ input_specs: z.array(inputSpec), output_specs: z.array(inputSpec) }),
  }),
});
export type Program = z.output<typeof program>;

/** The bindings of the graph's inputs and outputs. */
export const bindings = {
  parameter: z.object({ arg: named, parameter_name: name }),
  buffer: z.object({ arg: named, buffer_name: name }),
  tensor_constant: z.object({ arg: named, tensor_constant_name: name }),
  user_input: z.object({ arg: argument }),
  user_output: z.object({ arg: argument }),
  buffer_mutation: z.object({ buffer_name: name }),
};

const tensorMeta = z.object({
  dtype: integer,
  sizes: z.array(size).max(64),
  strides: z.array(size).max(64),
  storage_offset: size,
  layout: integer,
});

export const payload = z.object({
  config: z.record(
    z.string(),
    z.object({
      path_name: z.string().regex(/^[\w.-]+$/),
      is_param: z.boolean(),
      use_pickle: z.boolean(),
      tensor_meta: tensorMeta.nullish(),
    }),
  ),
});
export type Payload = z.output<typeof payload>['config'][string];

/** Parses a value by its schema. Throws FileError that names the invalid place. */
export function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new FileError(`${[where, ...(issue?.path ?? [])].join('.')} is not valid (${issue?.message ?? 'damaged'}).`);
}
