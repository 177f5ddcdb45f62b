/** Which process a lock speaks of, so that one that is gone is told from a later one with the same number. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  pid: number;
  /** When the process began, as the operating system counts. */
  started: string;
  host: string;
  /** Of the installation of the operating system, since two computers may have one name. */
  computer: string;
  /** Changes when the computer is started again; empty where that is not known. */
  boot: string;
  /** Containers on one computer count their processes each from 1. */
  namespace: string;
}

export const thisProcess = (): ProcessIdentity => ({
  pid: process.pid,
  started: startOf(process.pid) ?? '',
  ...here(),
});

/** Whether a process still runs, as far as this computer can tell. */
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
 * When a process began; undefined where there is none, or one that was killed and that its parent has not looked after.
 */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    // Behind the name, which may hold spaces: the state, and as the twentieth field the start.
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
