/** Parquet files: the footer is read on opening, rows on demand. */
import { open, stat } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
  readOffsetIndex,
  type SchemaTree,
} from 'hyparquet';
import { DataError, messageOf } from '../../errors.js';
import { checkPages, compressors } from './parquet-pages.js';

/** Rows that are read together: a page if the file has a page index, otherwise a row group. */
export interface Block {
  start: number;
  end: number;
  /** Approximate uncompressed size in bytes. */
  bytes: number;
}

interface Group {
  start: number;
  end: number;
  chunks: RowGroup['columns'];
}

export class ParquetFile {
  readonly rows: number;
  readonly columns: readonly SchemaTree[];
  readonly #blocks = new Map<Group, Promise<Block[]>>();
  /** Columns whose pages were checked, by row group and name. */
  readonly #checked = new Map<Group, Map<string, Promise<void>>>();

  private constructor(
    readonly path: string,
    private readonly file: AsyncBuffer,
    private readonly metadata: FileMetaData,
    private readonly groups: readonly Group[],
  ) {
    this.rows = groups.at(-1)?.end ?? 0;
    this.columns = parquetSchema(metadata).children;
  }

  /** Throws DataError if the file is not a parquet file, or truncated. */
  static open(path: string): Promise<ParquetFile> {
    return reading(path, async () => {
      const file = await partsOf(path);
      const metadata = await parquetMetadataAsync(file, { geoparquet: false });
      const groups: Group[] = [];
      for (const { num_rows: rows, columns: chunks } of metadata.row_groups) {
        const start = groups.at(-1)?.end ?? 0;
        const end = start + Number(rows);
        if (!(Number.isSafeInteger(end) && end >= start)) throw new Error('a row group has no valid number of rows.');
        groups.push({ start, end, chunks });
      }
      return new ParquetFile(path, file, metadata, groups);
    });
  }

  /** Returns the metadata under `key`, where Hugging Face and pandas write JSON. */
  note(key: string): string | undefined {
    return this.metadata.key_value_metadata?.find((entry) => entry.key === key)?.value;
  }

  /** Reads the values of a column, one per row. `leaf` is the path of the part of it that determines their number. */
  async column(name: string, leaf: string): Promise<unknown[]> {
    const values: unknown[] = [];
    for (const group of this.groups) {
      const bytes = this.#chunk(group, leaf).meta_data?.total_uncompressed_size;
      for (const value of await this.read(name, { ...group, bytes: Number(bytes) })) values.push(value);
    }
    return values;
  }

  /** Returns the block that contains row `row` of a column. */
  async blockOf(row: number, leaf: string): Promise<Block> {
    const group = this.groups.find(({ end }) => row < end) as Group;
    const known = this.#blocks.get(group) ?? reading(this.path, () => this.#split(group, leaf));
    this.#blocks.set(group, known);
    return (await known).find(({ end }) => row < end) as Block;
  }

  /** Reads the values of a column in a block. */
  read(name: string, { start, end }: Block): Promise<unknown[]> {
    if (start === end) return Promise.resolve([]);
    return reading(this.path, async () => {
      await this.#check(name, start, end);
      const { file, metadata } = this;
      const unpack = { compressors: await compressors(), utf8: false, geoparquet: false };
      const options = { file, metadata, ...unpack, useOffsetIndex: true };
      const rows = await parquetReadObjects({ ...options, columns: [name], rowStart: start, rowEnd: end });
      if (rows.length !== end - start) throw new Error(`it has ${rows.length} rows where ${end - start} should be.`);
      return rows.map((row) => row[name]);
    });
  }

  /** Checks the pages of a column, once per row group. */
  async #check(name: string, start: number, end: number): Promise<void> {
    for (const group of this.groups) {
      if (group.end <= start || group.start >= end) continue;
      const known = this.#checked.get(group) ?? new Map<string, Promise<void>>();
      this.#checked.set(group, known);
      const parts = group.chunks.flatMap(({ meta_data: data }) => (data?.path_in_schema[0] === name ? [data] : []));
      const check = async () => {
        for (const data of parts) await checkPages(this.file, data, Number(data.num_values));
      };
      const done = known.get(name) ?? check();
      known.set(name, done);
      await done;
    }
  }

  #chunk(group: Group, leaf: string): RowGroup['columns'][number] {
    const chunk = group.chunks.find(({ meta_data: data }) => data?.path_in_schema.join('.') === leaf);
    // Otherwise a damaged row count would be trusted, and rows counted up to it.
    if (Number(chunk?.meta_data?.num_values) !== group.end - group.start)
      throw new DataError(`${this.path} is damaged: '${leaf}' has not as many values as a row group has rows.`);
    return chunk as RowGroup['columns'][number];
  }

  async #split(group: Group, leaf: string): Promise<Block[]> {
    const { start, end } = group;
    const { meta_data: data, offset_index_offset: offset, offset_index_length: length } = this.#chunk(group, leaf);
    const bytes = Number(data?.total_uncompressed_size);
    if (!offset || !length) return [{ start, end, bytes }];
    const index = await this.file.slice(Number(offset), Number(offset) + length);
    const { page_locations: pages } = readOffsetIndex({ view: new DataView(index), offset: 0 });
    const starts = pages.map(({ first_row_index: first }) => start + Number(first));
    const ascending = starts.every((first, i) => first < (starts[i + 1] ?? end));
    if (starts[0] !== start || !ascending) throw new Error('its index of pages is not valid.');
    return starts.map((first, i) => {
      const last = starts[i + 1] ?? end;
      return { start: first, end: last, bytes: (bytes * (last - first)) / (end - start) };
    });
  }
}

/**
 * Reads ranges of a file and opens it for each read only: data sets may have more files than a process may hold open.
 */
async function partsOf(path: string): Promise<AsyncBuffer> {
  const { size } = await stat(path);
  return {
    byteLength: size,
    async slice(start, end = size) {
      if (!(start >= 0 && start <= end && end <= size)) throw new Error(`it has no bytes ${start} to ${end}.`);
      const bytes = new Uint8Array(end - start);
      const file = await open(path);
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
          if (bytesRead === 0) throw new Error('it became shorter while it was read.');
          done += bytesRead;
        }
      } finally {
        await file.close();
      }
      return bytes.buffer;
    },
  };
}

async function reading<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof DataError) throw error;
    const reason = messageOf(error).replace(/\.?$/, '.');
    throw new DataError(`${path} is not a whole parquet file: ${reason} Copy it again.`, { cause: error });
  }
}
