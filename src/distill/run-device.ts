/** Where the student of a run is evaluated and analyzed. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseYaml } from '../strict-yaml.js';
import { deviceNamed, hasDevice } from '../tensor/index.js';

/**
 * Returns the device that is asked for, or else that of the run in `path` (its folder, or a file in it), or the CPU,
 * with a `notice`, where this machine does not have the run's. Throws ConfigError where there is no device that was
 * asked for.
 */
export function deviceFor(path: string, asked?: string): { device: string; notice?: string } {
  if (asked !== undefined) return { device: deviceNamed(asked) };
  const own = runDevice(path);
  if (hasDevice(own)) return { device: deviceNamed(own) };
  return { device: 'cpu', notice: `${path} was trained on ${own}, which is not available here: using the CPU` };
}

/** `device` in the configuration of a run; `cpu` where it says nothing. */
function runDevice(path: string): string {
  const file = [path, dirname(path)].map((folder) => join(folder, 'config.yaml')).find((one) => existsSync(one));
  if (file === undefined) return 'cpu';
  try {
    const { device } = parseYaml(readFileSync(file, 'utf8')) as { device?: unknown };
    return typeof device === 'string' ? device : 'cpu';
  } catch {
    // Whoever needs more of the file than its device says what is wrong with it.
    return 'cpu';
  }
}
