/** Where in the model an operator is called from: the path of the module, and the line of the model's code. */
import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Module } from '../nn/index.js';
import type { HookHandle } from '../tensor/index.js';

export interface Place {
  scope: string;
  source: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
/** Frames of these rooms are how an operator is called, not where. */
const inner = ['tensor/', 'nn/', 'export/', 'native.'].map((room) => `${root}${room}`);
const frameLimit = 60;

/** Records which module runs while `forward` runs, and numbers the places that are asked for. */
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

  /** The number of the place that is running now. */
  here(): number {
    const scope = this.#stack.at(-1) ?? '';
    return this.#list.push({ scope, source: callingLine() }) - 1;
  }

  at(number: number): Place {
    return this.#list[number] ?? { scope: '', source: '' };
  }

  /** Takes the hooks away. */
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

/** The innermost line of a stack that is the model's own; empty where there is none. */
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

/** Without the folders of this machine, which nobody else has: it is written into files. */
function shortened(file: string): string {
  if (file.startsWith(root)) return `srrl/${file.slice(root.length)}`;
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? (file.split(/[\\/]/).at(-1) as string) : path;
}
