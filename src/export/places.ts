/** Finds where a model calls an operator: the path of the module, and the line of the model's code. */
import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Module } from '../nn/index.js';
import type { HookHandle } from '../tensor/index.js';

export interface Place {
  scope: string;
  source: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
/** Stack frames in these folders belong to this package, not to the model. */
const inner = ['tensor/', 'nn/', 'export/', 'native.'].map((room) => `${root}${room}`);
const frameLimit = 60;

/** Tracks the current module during `forward`, and numbers the places requested. */
export class Places {
  readonly #list: Place[] = [];
  readonly #stack: string[] = [];
  readonly #hooks: HookHandle[] = [];

  constructor(model: Module) {
    for (const [path, module] of model.namedModules()) {
      const enter = module.registerForwardPreHook(() => {
        this.#stack.push(path);
        return undefined;
      });
      const leave = module.registerForwardHook(() => {
        this.#stack.pop();
      });
      this.#hooks.push(enter, leave);
    }
  }

  /** Adds the current place; returns its number. */
  here(): number {
    const scope = this.#stack.at(-1) ?? '';
    return this.#list.push({ scope, source: callingLine() }) - 1;
  }

  at(number: number): Place {
    return this.#list[number] ?? { scope: '', source: '' };
  }

  /** Removes the hooks. */
  close(): void {
    for (const hook of this.#hooks) hook.remove();
  }
}

function callingLine(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = frameLimit;
  const { stack } = new Error();
  Error.stackTraceLimit = before;
  return lineIn(stack);
}

/** Returns the innermost line of a stack in the model's own code; empty if there is none. */
export function lineIn(stack = ''): string {
  for (const frame of stack.split('\n')) {
    const [, place = '', line] = frame.match(/\(?((?:file:\/\/|\/)[^)]*?):(\d+):\d+\)?$/) ?? [];
    if (place === '') continue;
    const file = place.startsWith('file:') ? fileURLToPath(place) : place;
    if (inner.some((folder) => file.startsWith(folder))) continue;
    return `${shortened(file)}:${line}`;
  }
  return '';
}

/** Shortens a path to one without local folders, because it is written into files. */
function shortened(file: string): string {
  if (file.startsWith(root)) return `srrl/${file.slice(root.length)}`;
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? (file.split(/[\\/]/).at(-1) as string) : path;
}
