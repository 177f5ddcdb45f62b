/** The format of a corpus, as docs/conformance.md describes it, and how its folders are read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export type EncodedNumber = number | string;

export interface EncodedTensor {
  dtype: string;
  shape: number[];
  /** Only where the tensor is not contiguous; `data` is then all that the strides reach over. */
  strides?: number[];
  data: string;
}

export type Encoded =
  | null
  | { tensor: EncodedTensor }
  | { list: Encoded[] }
  | { int: EncodedNumber }
  | { float: EncodedNumber }
  | { complex: [EncodedNumber, EncodedNumber] }
  | { bool: boolean }
  | { str: string }
  | { dtype: string }
  | { layout: string }
  | { memory_format: string }
  | { device: string };

/** A parameter's position or name, and the position in its list where it is one. */
export type Path = [number | string] | [number | string, number];

export interface Gradients {
  inputs: Path[];
  outputs: Path[];
  upstream: Encoded[];
  values: Encoded[];
}

export interface RecordedCall {
  operator: string;
  args: Encoded[];
  kwargs: Record<string, Encoded>;
  results: Encoded[];
  /** What arguments hold after the call, by position or name. */
  written?: Record<string, Encoded>;
  gradients?: Gradients;
}

/** The calls of a folder, file after file. */
export function* readCorpus(folder: string): Generator<RecordedCall> {
  const files = readdirSync(folder).filter((name) => /\.jsonl(\.gz)?$/.test(name));
  if (files.length === 0) throw new Error(`${folder} has no .jsonl or .jsonl.gz file with recorded calls.`);
  for (const name of files.sort()) {
    const bytes = readFileSync(join(folder, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    for (const line of text.split('\n')) if (line.trim() !== '') yield JSON.parse(line) as RecordedCall;
  }
}
