/** The tree of modules that a program was exported from. */
import { FileError } from '../../errors.js';
import type { ProgramNode } from './schema.js';

const validPath = /^[\w-]+(\.[\w-]+){0,63}$/;
const validType = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

export interface ModuleEntry {
  path: string;
  type: string;
}

/** Returns the modules in which nodes ran, in that order, then others that hold tensors; each after its parent. */
export function modulesOf(attributes: string[], nodes: ProgramNode[]): ModuleEntry[] {
  const types = new Map([['', 'Module']]);
  for (const { metadata } of nodes) {
    for (const entry of String(metadata.nn_module_stack ?? '').split(';')) {
      const parts = entry.split(',');
      // A module that runs again is numbered: `relu@1`.
      const [path = '', type = ''] = [parts.at(-2)?.replace(/@\d+$/, ''), parts.at(-1)];
      if (parts.length < 3 || (path !== '' && !validPath.test(path)) || !validType.test(type)) continue;
      if (path === '_empty_nn_module_stack_from_metadata_hook') continue;
      for (const parent of path === '' ? [] : [...parentsOf(path), path])
        types.set(parent, types.get(parent) ?? 'Module');
      types.set(path, type);
    }
  }
  for (const path of attributes) {
    if (!validPath.test(path)) throw new FileError(`'${path.slice(0, 100)}' is not a name of a tensor.`);
    for (const parent of parentsOf(path)) types.set(parent, types.get(parent) ?? 'Module');
  }
  for (const path of attributes) if (types.has(path)) throw new FileError(`'${path}' is a tensor and a module.`);
  return [...types].map(([path, type]) => ({ path, type }));
}

function parentsOf(path: string): string[] {
  const parts = path.split('.');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('.'));
}
