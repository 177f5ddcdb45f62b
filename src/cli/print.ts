import { printable } from '../printable.js';

/** Escapes control characters in all printed text, because names in files may contain them. */
export function printSafely(): void {
  for (const name of ['log', 'error', 'warn'] as const) {
    const print = console[name].bind(console);
    console[name] = (...parts: unknown[]) =>
      print(...parts.map((part) => (typeof part === 'string' ? printable(part) : part)));
  }
}
