/** Forward hooks: a hooked module has a `forward` of its own, so that one without hooks pays nothing. */
import { checkCall } from '../call.js';
import type { HookHandle } from '../tensor/index.js';
import type { Module } from './module.js';

/** Sees the inputs; an array that it returns takes their place. */
export type ForwardPreHook = (module: Module, inputs: unknown[]) => unknown[] | undefined;
/** Sees inputs and output; what it returns, unless undefined, takes the output's place. */
export type ForwardHook = (module: Module, inputs: unknown[], output: unknown) => unknown;

interface Hooks {
  before: ForwardPreHook[];
  after: ForwardHook[];
}

const hooked = new WeakMap<Module, Hooks>();
let count = 0;

/** Whether any module has hooks: what they see must then outlive the forward. */
export const anyHooks = (): boolean => count > 0;

export function hookForward<When extends keyof Hooks>(
  module: Module,
  when: When,
  hook: Hooks[When][number],
): HookHandle {
  checkCall('A forward hook', ['hook: function'], undefined, [hook]);
  const hooks = hooked.get(module) ?? install(module);
  const list = hooks[when] as (typeof hook)[];
  list.push(hook);
  return {
    remove: () => {
      const position = list.indexOf(hook);
      if (position >= 0) list.splice(position, 1);
      if (hooks.before.length + hooks.after.length === 0) uninstall(module);
    },
  };
}

function install(module: Module): Hooks {
  const original = (module.forward as (...inputs: unknown[]) => unknown).bind(module);
  const hooks: Hooks = { before: [], after: [] };
  const value = (...given: unknown[]) => {
    let inputs = given;
    for (const hook of [...hooks.before]) {
      inputs = hook(module, inputs) ?? inputs;
      checkCall('A forward hook', ['inputs: list'], undefined, [inputs]);
    }
    let output = original(...inputs);
    for (const hook of [...hooks.after]) {
      const changed = hook(module, inputs, output);
      if (changed !== undefined) output = changed;
    }
    return output;
  };
  Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
  hooked.set(module, hooks);
  count++;
  return hooks;
}

function uninstall(module: Module): void {
  delete (module as { forward?: unknown }).forward;
  if (hooked.delete(module)) count--;
}
