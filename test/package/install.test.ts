import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, FileError } from '../../src/index.js';
import { installLibtorch } from '../../src/libtorch/install.js';
import { libtorchCache, locate } from '../../src/libtorch/locate.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-install-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  process.env.SRRL_CACHE = mkdtempSync(join(folder, 'cache-'));
});

/** A zip with uncompressed entries, by the format's own description. */
function zip(entries: Record<string, string>, { damage = '' } = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(entries)) {
    const data = Buffer.from(text);
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt32LE(crc32(data), 10);
    header.writeUInt32LE(data.length, 14);
    header.writeUInt32LE(data.length, 18);
    header.writeUInt16LE(Buffer.byteLength(name), 22);
    const stored = Buffer.from(data);
    if (name === damage) stored[0] = (stored[0] as number) ^ 1;
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), header, Buffer.from(name), stored]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), header, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(central.length, 8);
  end.writeUInt16LE(central.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

const archive = {
  'libtorch/build-version': '2.13.0+cpu\n',
  'libtorch/lib/libtorch_cpu.so': 'library',
  'libtorch/lib/libtorch_python.so': 'not wanted',
  'libtorch/include/ATen/ATen.h': '// header',
  'other/file': 'not wanted',
};

function write(name: string, bytes: Buffer): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

describe('install-libtorch --from', () => {
  it('unpacks an archive, whole or not at all, where the search finds it', async () => {
    const installed = await installLibtorch({ from: write('a.zip', zip(archive)) });
    expect(installed.version).toBe('2.13.0+cpu');
    expect(readFileSync(join(installed.folder, 'lib/libtorch_cpu.so'), 'utf8')).toBe('library');
    expect(existsSync(join(installed.folder, 'include/ATen/ATen.h'))).toBe(true);
    expect(existsSync(join(installed.folder, 'lib/libtorch_python.so'))).toBe(false);
    expect(readdirSync(libtorchCache())).toEqual(['2.13.0+cpu']);
    expect(locate((version) => version === '2.13.0+cpu').libtorch).toMatchObject({
      source: 'cache',
      folder: installed.folder,
    });
  });

  it('checks a wheel against the hashes of its own record', async () => {
    const hash = (text: string) => createHash('sha256').update(text).digest('base64url');
    const wheel = (recorded: string) =>
      zip({
        'torch/version.py': "__version__ = '2.13.0+cpu'\n",
        'torch/lib/libtorch_cpu.so': 'library',
        'torch-2.13.0+cpu.dist-info/RECORD': `torch/lib/libtorch_cpu.so,sha256=${hash(recorded)},7\n`,
      });
    expect((await installLibtorch({ from: write('good.whl', wheel('library')) })).version).toBe('2.13.0+cpu');
    await expect(installLibtorch({ from: write('bad.whl', wheel('another')) })).rejects.toThrow(/damaged/);
  });

  it('takes an unpacked folder', async () => {
    const source = join(folder, 'unpacked');
    mkdirSync(join(source, 'lib'), { recursive: true });
    writeFileSync(join(source, 'lib/libtorch_cpu.so'), 'library');
    writeFileSync(join(source, 'build-version'), '2.11.0+cpu');
    expect((await installLibtorch({ from: source })).folder).toBe(join(libtorchCache(), '2.11.0+cpu'));
  });

  it('leaves nothing behind when something is wrong', async () => {
    const cases: [string, RegExp][] = [
      [write('damaged.zip', zip(archive, { damage: 'libtorch/lib/libtorch_cpu.so' })), /damaged/],
      [write('cut.zip', zip(archive).subarray(0, 300)), /not a readable zip/],
      [write('empty.zip', zip({ 'libtorch/build-version': '2.13.0' })), /holds no libtorch/],
      [write('unversioned.zip', zip({ 'libtorch/lib/libtorch_cpu.so': 'library' })), /no version/],
      [join(folder, 'nothing.zip'), /does not exist/],
    ];
    for (const [from, message] of cases) {
      await expect(installLibtorch({ from })).rejects.toThrow(FileError);
      await expect(installLibtorch({ from })).rejects.toThrow(message);
    }
    await expect(installLibtorch({ from: write('sum.zip', zip(archive)), sha256: 'ab' })).rejects.toThrow(
      /has SHA-256/,
    );
    await expect(installLibtorch({ build: 'gpu' })).rejects.toThrow(ConfigError);
    expect(readdirSync(libtorchCache())).toEqual([]);
  });
});
