/** libtorch's requirements on the system. */

/** The minimum glibc of PyTorch's Linux builds (manylinux_2_28), and so of this package's prebuilt addon. */
export const neededGlibc = '2.28';

/** Returns the glibc version of this system; undefined on macOS, and on a Linux with another C library. */
export function systemGlibc(): string | undefined {
  // Otherwise the report looks up the names of network neighbors, which takes seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

/** Describes the problem of a Linux with this glibc, or without glibc; undefined if there is none. */
export function glibcProblem(glibc: string | undefined): string | undefined {
  if (glibc && !isOlder(glibc, neededGlibc)) return undefined;
  const found = glibc ? `has glibc ${glibc}` : 'has no glibc (Alpine Linux has musl instead)';
  return `libtorch needs glibc ${neededGlibc} or newer, and this system ${found}. \
Use another distribution or container image, such as node:22-bookworm-slim.`;
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0;
}
