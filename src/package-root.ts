/** Locates this package. The entry points import this file first, so that a bundle fails here with a clear message. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SrrlError } from './errors.js';

interface Manifest {
  name: string;
  version: string;
  binary: { platforms: string[] };
}

/** Returns the folder and package.json of the package that contains the module at `url`. */
function locatePackage(url: string | undefined): { root: string; manifest: Manifest } {
  // A bundle in CommonJS format has no import.meta.url.
  const root = url && dirname(dirname(fileURLToPath(url)));
  const file = root && join(root, 'package.json');
  const manifest = file && existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as Manifest);
  if (root && manifest && manifest.name === 'srrl') return { root, manifest };
  const error = new SrrlError(
    'ERR_BUNDLED',
    'srrl cannot be part of a bundle: it loads its native addon and its workers from its own folder. ' +
      'Bundle with --external:srrl (esbuild; docs/install.md has the same for other bundlers).',
  );
  // The stack would only show lines of the bundle.
  error.stack = `${error.name}: ${error.message}`;
  throw error;
}

const { root, manifest } = locatePackage(import.meta.url);

/** The root of the package, where package.json, native/ and prebuilds/ are. */
export const packageRoot = root;

/** The version of this package. */
export const packageVersion = manifest.version;

/** The platforms that releases carry a prebuilt addon for, such as `linux-x64`. */
export const prebuiltPlatforms = manifest.binary.platforms;
