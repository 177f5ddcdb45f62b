/** Forward hooks: they override `forward` on the hooked object, so modules without hooks have no overhead. */
import { checkCall } from '../call.js';
import type { HookHandle } from '../tensor/index.js';
import type { Module } from './module.js';

/** Receives the inputs; a returned array replaces them. */
export type ForwardPreHook = (module: Module, inputs: unknown[]) => unknown[] | undefined;
/** Receives inputs and output; a returned value other than undefined replaces the output. */
export type ForwardHook = (module: Module, inputs: unknown[], output: unknown) => unknown;

interface Hooks {
  before: ForwardPreHook[];
  after: ForwardHook[];
}

const hooked = new WeakMap<Module, Hooks>();
let count = 0;

/** Whether any module has hooks; if so, the tensors that they receive must outlive the forward. */
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
