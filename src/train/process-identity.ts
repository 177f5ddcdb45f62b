/** Identifies the process of a lock, so that it is not confused with a later process of the same pid. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  pid: number;
  /** Start time of the process, in the format of the operating system. */
  started: string;
  host: string;
  /** ID of the operating system's installation, since two computers may have the same name. */
  computer: string;
  /** Changes when the computer restarts; empty if unknown. */
  boot: string;
  /** The pid namespace: each container on a computer counts its processes from 1. */
  namespace: string;
}

export const thisProcess = (): ProcessIdentity => ({
  pid: process.pid,
  started: startOf(process.pid) ?? '',
  ...here(),
});

/** Returns whether a process still runs, as far as this computer can tell. */
export function stateOf(other: ProcessIdentity): 'running' | 'gone' | 'unknown' {
  const { host, computer, boot, namespace } = here();
  if (other.host !== host || other.computer !== computer) return 'unknown';
  if (other.boot !== boot) return 'gone';
  if (other.namespace !== namespace) return 'unknown';
  return startOf(other.pid) === other.started ? 'running' : 'gone';
}

const here = () => ({
  host: hostname(),
  computer: read(() => readFileSync('/etc/machine-id', 'utf8')),
  boot: read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  namespace: read(() => readlinkSync('/proc/self/ns/pid')),
});

/**
 * Returns the start time of a process; undefined if it does not exist or is a zombie.
 */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    // After the name, which may hold spaces, the first field is the state and the twentieth the start time.
    const fields = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
      .replace(/^.*\)\s*/s, '')
      .split(' ');
    return fields[0] === '' || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  if (process.platform === 'win32') return '';
  return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

function read(body: () => string): string {
  try {
    return body().trim();
  } catch {
    return '';
  }
}
