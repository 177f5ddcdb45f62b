/** Chooses the device on which the student of a run is evaluated and analyzed. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseYaml } from '../strict-yaml.js';
import { deviceNamed, hasDevice } from '../tensor/index.js';

/**
 * Returns the device `asked`, by default that of the run in `path` (its folder, or a file in it), or the CPU with a
 * `notice` if this machine does not have the run's device. Throws ConfigError if the device `asked` does not exist.
 */
export function deviceFor(path: string, asked?: string): { device: string; notice?: string } {
  if (asked !== undefined) return { device: deviceNamed(asked) };
  const own = runDevice(path);
  if (hasDevice(own)) return { device: deviceNamed(own) };
  return { device: 'cpu', notice: `${path} was trained on ${own}, which is not available here: using the CPU` };
}

/** Returns `device` from the configuration of a run, by default `cpu`. */
function runDevice(path: string): string {
  const file = [path, dirname(path)].map((folder) => join(folder, 'config.yaml')).find((one) => existsSync(one));
  if (file === undefined) return 'cpu';
  try {
    const { device } = parseYaml(readFileSync(file, 'utf8')) as { device?: unknown };
    return typeof device === 'string' ? device : 'cpu';
  } catch {
    // Code that needs more of this file reports the error.
    return 'cpu';
  }
}
