/** Reads the `.pt2` archives of PyTorch 2. */
import { existsSync, statSync } from 'node:fs';
import { FileError } from '../../errors.js';
import { Input } from '../../files/input.js';
import { ZipReader } from '../../files/zip-reader.js';
import { type Payload, type Program, parsed, payload, program } from './schema.js';

/** Files of torch.export.save, of torch.export.save before PyTorch 2.8, and of AOTInductor. */
export type ArchiveKind = 'program' | 'old program' | 'package';

const models = /^(?:[^/]+\/)?models\/[^/]+\.json$/;
const oldProgramEntry = 'serialized_exported_program.json';
// Classifiers have a few thousand nodes; each costs memory.
const mostNodes = 100_000;
const largestJson = 2 ** 28;

/** Returns the kind of a file by its content; undefined if it is none of these, damaged or absent. */
export async function archiveKind(file: string): Promise<ArchiveKind | undefined> {
  if (!existsSync(file) || !statSync(file).isFile()) return undefined;
  const input = new Input(file);
  try {
    const { names } = await ZipReader.open(input);
    if (names.some((name) => models.test(name))) return 'program';
    if (names.includes(oldProgramEntry)) return 'old program';
    return names.some((name) => /(^|\/)data\/aotinductor\//.test(name)) ? 'package' : undefined;
  } catch {
    return undefined;
  } finally {
    input.close();
  }
}

/** Returns the error message for a file in the layout of PyTorch before 2.8. */
export const oldProgram = (file: string): string =>
  `${file} was written by torch.export.save of a PyTorch before 2.8 (${oldProgramEntry}).\nLoad it there with torch.export.load and save it again with PyTorch 2.8 or later.`;

/** An exported program: its graph, and the places of its tensors. */
export class ProgramArchive {
  private constructor(
    private readonly zip: ZipReader,
    private readonly root: string,
    readonly program: Program,
    /** Tensors by their names in the program, with the folder of their bytes. */
    readonly payloads: Map<string, Payload & { folder: string }>,
  ) {}

  static async open(input: Input): Promise<ProgramArchive> {
    const zip = await ZipReader.open(input);
    const [path, ...others] = zip.names.filter((name) => models.test(name));
    if (path === undefined) throw new FileError('it holds no program (models/*.json).');
    if (others.length > 0)
      throw new FileError(`it holds ${others.length + 1} programs; save the one that is the teacher alone.`);
    const [, root = '', name = ''] = path.match(/^(.*)models\/([^/]+)\.json$/) ?? [];
    if (zip.has(`${root}byteorder`) && (await zip.read(`${root}byteorder`)).toString('latin1') !== 'little')
      throw new FileError('its tensors are big-endian; save it on a little-endian machine.');
    const content = checkedVersion(await json(zip, path));
    const payloads = new Map<string, Payload & { folder: string }>();
    for (const kind of ['constants', 'weights']) {
      const config = `${root}data/${kind}/${name}_${kind}_config.json`;
      if (!zip.has(config)) continue;
      const entries = Object.entries(parsed(payload, await json(zip, config), `${name}_${kind}_config`).config);
      for (const [of, entry] of entries) payloads.set(of, { ...entry, folder: `data/${kind}/` });
    }
    return new ProgramArchive(zip, root, content, payloads);
  }

  /** Reads the bytes of a storage. */
  read(path: string): Promise<Buffer> {
    return this.zip.read(this.root + path);
  }
}

async function json(zip: ZipReader, name: string): Promise<unknown> {
  if (zip.size(name) > largestJson)
    throw new FileError(`'${name}' has ${zip.size(name)} bytes, more than ${largestJson}.`);
  return JSON.parse((await zip.read(name)).toString('utf8'));
}

function checkedVersion(content: unknown): Program {
  const { schema_version: version, torch_version: torch, graph_module } = (content ?? {}) as Record<string, never>;
  const { major } = (version ?? {}) as { major?: unknown };
  if (major !== 8)
    throw new FileError(
      `PyTorch ${String(torch ?? 'of an unknown version').slice(0, 40)} wrote it in version ${String(major).slice(0, 20)} of the format; version 8 is read.\nSave it again with PyTorch 2.13.`,
    );
  const count = ((graph_module as { graph?: { nodes?: unknown[] } } | undefined)?.graph?.nodes ?? []).length;
  if (count > mostNodes) throw new FileError(`its graph has ${count} nodes, more than ${mostNodes}.`);
  return parsed(program, content, 'model');
}
