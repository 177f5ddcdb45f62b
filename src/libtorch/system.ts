/** What libtorch needs of the system itself. */

/** The glibc that PyTorch's Linux builds are made for (manylinux_2_28), and this package's prebuilt addon with them. */
export const neededGlibc = '2.28';

/** The glibc of this system; undefined on macOS, and on a Linux with another C library. */
export function systemGlibc(): string | undefined {
  // Without this, the report looks up the names of network neighbors, which takes seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

/** What is wrong with a Linux that has this glibc, or none. */
export function glibcProblem(glibc: string | undefined): string | undefined {
  if (glibc && !isOlder(glibc, neededGlibc)) return undefined;
  const found = glibc ? `has glibc ${glibc}` : 'has no glibc (Alpine Linux has musl instead)';
  return `libtorch needs glibc ${neededGlibc} or newer, and this system ${found}. \
Use another distribution or container image, such as node:22-bookworm-slim.`;
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0;
}
