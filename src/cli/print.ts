import { printable } from '../printable.js';

/** Lets nothing that this program prints steer the terminal: names in files may hold control characters. */
export function printSafely(): void {
  for (const name of ['log', 'error', 'warn'] as const) {
    const print = console[name].bind(console);
    console[name] = (...parts: unknown[]) =>
      print(...parts.map((part) => (typeof part === 'string' ? printable(part) : part)));
  }
}
