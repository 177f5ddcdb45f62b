/**
 * One run at a time writes to a folder: `run.lock` in it names the process. The lock of a process that has ended, also
 * by kill -9 or a restart, is taken over. A lock of another computer is not, because it is unknown whether its process
 * still runs.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError, FileError, messageOf } from '../errors.js';
import { type ProcessIdentity, stateOf, thisProcess } from './process-identity.js';

const lockFile = 'run.lock';

interface Owner extends ProcessIdentity {
  /** Time of the lock, ISO 8601. */
  since: string;
  token: string;
}

/** Locks that this thread holds, with the folders that were created for them. */
const held = new Map<string, { token: string; made: string[] }>();
let releasesAtExit = false;

/**
 * Locks folders for the caller, and creates missing ones. Returns a function that releases them, and removes those that
 * were created and are still empty. Throws ConfigError with process and folder if another run writes to one of them,
 * FileError if one cannot be written.
 */
export function lockFolders(folders: readonly string[]): () => void {
  const files: string[] = [];
  const release = () => {
    for (const file of files.splice(0)) releaseFile(file);
  };
  try {
    for (const folder of folders) files.push(lockFolder(folder));
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

/** Runs `body` while the folders are locked. */
export async function* whileLocked<Event>(
  folders: readonly string[],
  body: () => AsyncGenerator<Event, void>,
): AsyncGenerator<Event, void> {
  const release = lockFolders(folders);
  try {
    yield* body();
  } finally {
    release();
  }
}

function lockFolder(folder: string): string {
  const file = join(resolve(folder), lockFile);
  const made = missingFolders(dirname(file));
  try {
    mkdirSync(dirname(file), { recursive: true });
    held.set(file, { token: acquire(file, folder), made });
  } catch (error) {
    for (const path of made) removeIfEmpty(path);
    if (error instanceof ConfigError) throw error;
    throw new FileError(`The run folder ${folder} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
  if (!releasesAtExit) process.on('exit', () => [...held.keys()].forEach(releaseFile));
  releasesAtExit = true;
  return file;
}

/** Returns the folders of a path that do not exist yet, the innermost first. */
function missingFolders(path: string): string[] {
  if (existsSync(path) || dirname(path) === path) return [];
  return [path, ...missingFolders(dirname(path))];
}

/** Writes the lock, or takes over the lock of a process that has ended. Returns its token. */
function acquire(file: string, folder: string): string {
  const token = randomBytes(8).toString('hex');
  const owner: Owner = { ...thisProcess(), since: new Date().toISOString(), token };
  const draft = `${file}.${token}.tmp`;
  writeFlushed(draft, JSON.stringify(owner));
  try {
    while (!place(draft, file)) {
      const other = readOwner(file);
      if (other === 'none') continue;
      const state = other === 'unreadable' ? 'unknown' : stateOf(other);
      if (other === 'unreadable' || state !== 'gone') throw new ConfigError(refusal(folder, file, other));
      if (takeOver(draft, file, folder, other)) break;
    }
    return token;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Replaces a dead process's lock by the draft, unless another process was quicker. A second lock prevents two processes
 * from doing so at once.
 */
function takeOver(draft: string, file: string, folder: string, dead: Owner): boolean {
  const claim = `${file}.${dead.token}`;
  acquire(claim, folder);
  try {
    const now = readOwner(file);
    if (typeof now === 'string' || now.token !== dead.token) return false;
    renameSync(draft, file);
    return true;
  } finally {
    rmSync(claim, { force: true });
  }
}

/** Publishes the draft under its name atomically. Returns false if the name is taken. */
function place(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // Any other error: the file system has no hard links.
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EROFS' || code === 'ENOSPC') throw error;
  }
  try {
    writeFileSync(file, readFileSync(draft), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function writeFlushed(file: string, text: string): void {
  const descriptor = openSync(file, 'w');
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function releaseFile(file: string): void {
  const lock = held.get(file);
  if (!lock) return;
  held.delete(file);
  const now = readOwner(file);
  if (typeof now === 'object' && now.token === lock.token) rmSync(file, { force: true });
  for (const path of lock.made) removeIfEmpty(path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // The folder holds a run now, or was never created.
  }
}

function readOwner(file: string): Owner | 'none' | 'unreadable' {
  try {
    const owner = JSON.parse(readFileSync(file, 'utf8')) as Partial<Owner> | null;
    return typeof owner?.pid === 'number' && typeof owner.token === 'string' ? (owner as Owner) : 'unreadable';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'unreadable';
  }
}

function refusal(folder: string, file: string, other: Owner | 'unreadable'): string {
  const remedy = `If no run writes to it, delete ${file}; otherwise choose another --out.`;
  if (other === 'unreadable') return `The run folder ${folder} is locked, and its lock cannot be read.\n${remedy}`;
  const { pid, host, since } = other;
  if (stateOf(other) === 'unknown')
    return `The run folder ${folder} is locked by process ${pid} on ${host}, since ${since}; whether that still runs cannot be seen from here.\n${remedy}`;
  const who = pid === process.pid ? `this process (${pid} on ${host})` : `process ${pid} on ${host}`;
  return `The run folder ${folder} is in use: a run in ${who} has been writing to it since ${since}.\nWait for that run, stop it with Ctrl-C or kill ${pid}, or choose another --out.`;
}
