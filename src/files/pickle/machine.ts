/**
 * The stack machine of pickle, protocols 2 to 5. The caller's table resolves names; where it returns an {@link
 * UnknownName}, objects made from it become {@link Opaque}. No code is ever run.
 */
import { FileError } from '../../errors.js';
import { globalNamed, storageNamed } from './globals.js';
import type { PickleSource } from './source.js';
import {
  Callable,
  Dict,
  type Named,
  Opaque,
  PlannedTensor,
  Stateful,
  type StorageReference,
  UnknownName,
} from './values.js';

const longestInteger = 65536;

class Machine {
  readonly memo = new Map<number, unknown>();
  readonly #stack: unknown[] = [];
  readonly #marks: number[] = [];
  #budget: number;

  constructor(
    readonly source: PickleSource,
    readonly named: Named,
    readonly storages: Map<string, StorageReference>,
  ) {
    this.#budget = source.size;
  }

  /** Limits copies: in total they may not exceed the size of the pickle, which is enough unless objects are shared. */
  readonly spend = (count: number): void => {
    this.#budget -= count;
    if (this.#budget < 0) throw new FileError('its pickle copies more than it holds.');
  };

  push(value: unknown): void {
    this.#stack.push(value);
  }

  pop(): unknown {
    this.#need(1);
    return this.#stack.pop();
  }

  top(): unknown {
    this.#need(1);
    return this.#stack.at(-1);
  }

  take(count: number): unknown[] {
    this.#need(count);
    return this.#stack.splice(this.#stack.length - count, count);
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** Pops the values above the last mark. */
  popMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new FileError('its pickle is damaged: a mark is missing.');
    return this.#stack.splice(mark);
  }

  popOrMark(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  recall(index: number): void {
    if (!this.memo.has(index)) throw new FileError('its pickle is damaged: it recalls what it never had.');
    this.push(this.memo.get(index));
  }

  #need(count: number): void {
    if (this.#stack.length - (this.#marks.at(-1) ?? 0) < count)
      throw new FileError('its pickle is damaged: its stack is empty.');
  }
}

function listAtTop(machine: Machine): unknown[] {
  const top = machine.top();
  const list = top instanceof Opaque ? top.list : top;
  if (!Array.isArray(list)) throw new FileError('its pickle is damaged: it appends to what is not a list.');
  return list;
}

function setItems(machine: Machine, items: unknown[]): void {
  const top = machine.top();
  const dict = top instanceof Opaque ? top.items : top;
  if (!(dict instanceof Dict) || items.length % 2 === 1)
    throw new FileError('its pickle is damaged: it sets items of what is not a dict.');
  for (let i = 0; i < items.length; i += 2) dict.items.set(items[i], items[i + 1]);
}

function addItems(machine: Machine, items: unknown[]): void {
  const set = machine.top();
  if (set instanceof Opaque) {
    for (const item of items) set.list.push(item);
    return;
  }
  if (!(set instanceof Set)) throw new FileError('its pickle is damaged: it adds to what is not a set.');
  for (const item of items) set.add(item);
}

function append(machine: Machine, items: unknown[]): void {
  const list = listAtTop(machine);
  for (const item of items) list.push(item);
}

const isOpaque = (value: unknown): boolean => value instanceof Opaque || value instanceof UnknownName;

/** Calls a supported name. Unsupported names, or arguments that make the call fail, return an opaque object. */
function called(machine: Machine, callable: unknown, args: unknown): unknown {
  const list: readonly unknown[] = Array.isArray(args) ? args : [args];
  if (callable instanceof UnknownName) return new Opaque(callable.name, list);
  // This happens for bound methods and partial functions.
  if (callable instanceof Opaque) return new Opaque(callable.type, [callable, ...list]);
  if (!(callable instanceof Callable) || !callable.call || !Array.isArray(args))
    throw new FileError('its pickle calls what cannot be called.');
  try {
    return callable.call(args, machine.spend);
  } catch (error) {
    if (args.some(isOpaque)) return new Opaque(callable.name, args);
    throw error;
  }
}

function reduce(machine: Machine): void {
  const [callable, args] = machine.take(2);
  machine.push(called(machine, callable, args));
}

/** Runs `class.__new__(class, ...args, **keywords)`; an unsupported class returns an opaque object. */
function newObject(machine: Machine, withKeywords: boolean): void {
  const [type, args, keywords] = machine.take(withKeywords ? 3 : 2);
  const object = called(machine, type, args);
  if (object instanceof Opaque && keywords instanceof Dict)
    for (const [key, value] of keywords.items) object.items.items.set(key, value);
  machine.push(object);
}

/** The old call instruction: the class is the first value above the mark. */
function oldObject(machine: Machine): void {
  const [type, ...args] = machine.popMark();
  machine.push(called(machine, type, args));
}

function oldInstance(machine: Machine): void {
  const type = machine.named(machine.source.line(), machine.source.line());
  machine.push(called(machine, type, machine.popMark()));
}

/** Sets the state of an object. Attributes of an OrderedDict, such as the versions in a state dict, are ignored. */
function build(machine: Machine): void {
  const state = machine.pop();
  const object = machine.top();
  if (object instanceof Stateful) object.setState(state);
  else if (object instanceof Opaque) object.state = state;
  else if (!(object instanceof Dict || object instanceof PlannedTensor))
    throw new FileError('its pickle sets the state of an object; only data are read.');
}

/** Resolves a persistent id: a storage, or in the legacy format a class with its source, which is ignored. */
function persistent(machine: Machine): void {
  const id = machine.pop();
  machine.push(Array.isArray(id) && id.some(isOpaque) ? opaqueReference(id) : storageOf(machine, id));
}

function opaqueReference(id: readonly unknown[]): unknown {
  return id[0] === 'module' ? id[1] : new Opaque('storage', id);
}

function storageOf(machine: Machine, id: unknown): StorageReference {
  const storage = storageNamed(id);
  addOnce(machine.storages, storage);
  return storage;
}

function stackGlobal(machine: Machine): void {
  const [module, name] = machine.take(2);
  if (typeof module !== 'string' || typeof name !== 'string') throw new FileError('a name in its pickle is not valid.');
  machine.push(machine.named(module, name));
}

/** Reads a little-endian integer in two's complement. */
function integer({ source }: Machine, length: number): number | bigint {
  if (length < 0 || length > longestInteger) throw new FileError('an integer in its pickle is too long.');
  if (length === 0) return 0;
  const hex = Buffer.from(source.take(length)).reverse().toString('hex');
  const value = BigInt.asIntN(8 * length, BigInt(`0x${hex}`));
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function length8({ source }: Machine): number {
  return Number(source.take(8).readBigUInt64LE());
}

const int32 = ({ source }: Machine): number => source.take(4).readInt32LE();
const uint32 = ({ source }: Machine): number => source.take(4).readUInt32LE();
const uint8 = ({ source }: Machine): number => source.byte();
const bytes = ({ source }: Machine, length: number): Uint8Array => Uint8Array.from(source.take(length));
const latin1 = ({ source }: Machine, length: number): string => source.take(length).toString('latin1');

function unsigned(length: number): number {
  if (length < 0) throw new FileError('a length in its pickle is negative.');
  return length;
}

/** Adds a storage unless it is known: each tensor that shares it describes it again. */
function addOnce(found: Map<string, StorageReference>, storage: StorageReference): void {
  const known = found.get(storage.key);
  if (known && (known.bytes !== storage.bytes || known.dtype !== storage.dtype))
    throw new FileError(`storage '${storage.key}' is described twice, and differently.`);
  found.set(storage.key, storage);
}

function protocol(version: number): void {
  if (version < 2 || version > 5) throw new FileError(`protocol ${version} of pickle is not read; 2 to 5 are.`);
}

// Opcodes with the letters and numbers of Lib/pickle.py.
const instructions = new Map<number | string, (machine: Machine) => void>([
  [0x80, (m) => protocol(uint8(m))],
  [0x95, (m) => void m.source.take(8)],
  ['(', (m) => m.mark()],
  ['0', (m) => m.popOrMark()],
  ['1', (m) => void m.popMark()],
  ['2', (m) => m.push(m.top())],
  ['N', (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  ['J', (m) => m.push(int32(m))],
  ['K', (m) => m.push(uint8(m))],
  ['M', (m) => m.push(m.source.take(2).readUInt16LE())],
  [0x8a, (m) => m.push(integer(m, uint8(m)))],
  [0x8b, (m) => m.push(integer(m, int32(m)))],
  ['G', (m) => m.push(m.source.take(8).readDoubleBE())],
  ['X', (m) => m.push(m.source.text(uint32(m)))],
  [0x8c, (m) => m.push(m.source.text(uint8(m)))],
  [0x8d, (m) => m.push(m.source.text(length8(m)))],
  ['U', (m) => m.push(latin1(m, uint8(m)))],
  ['T', (m) => m.push(latin1(m, unsigned(int32(m))))],
  ['C', (m) => m.push(bytes(m, uint8(m)))],
  ['B', (m) => m.push(bytes(m, uint32(m)))],
  [0x8e, (m) => m.push(bytes(m, length8(m)))],
  [0x96, (m) => m.push(bytes(m, length8(m)))],
  [']', (m) => m.push([])],
  ['}', (m) => m.push(new Dict())],
  [0x8f, (m) => m.push(new Set())],
  [')', (m) => m.push([])],
  ['t', (m) => m.push(m.popMark())],
  [0x85, (m) => m.push(m.take(1))],
  [0x86, (m) => m.push(m.take(2))],
  [0x87, (m) => m.push(m.take(3))],
  ['a', (m) => append(m, m.take(1))],
  ['e', (m) => append(m, m.popMark())],
  ['s', (m) => setItems(m, m.take(2))],
  ['u', (m) => setItems(m, m.popMark())],
  [0x90, (m) => addItems(m, m.popMark())],
  [0x91, (m) => m.push(new Set(m.popMark()))],
  ['c', (m) => m.push(m.named(m.source.line(), m.source.line()))],
  [0x93, stackGlobal],
  ['R', reduce],
  ['b', build],
  [0x81, (m) => newObject(m, false)],
  [0x92, (m) => newObject(m, true)],
  ['o', oldObject],
  ['i', oldInstance],
  ['Q', persistent],
  ['h', (m) => m.recall(uint8(m))],
  ['j', (m) => m.recall(uint32(m))],
  ['q', (m) => void m.memo.set(uint8(m), m.top())],
  ['r', (m) => void m.memo.set(uint32(m), m.top())],
  [0x94, (m) => void m.memo.set(m.memo.size, m.top())],
]);
const table = new Map([...instructions].map(([code, run]) => [Number(code) || String(code).charCodeAt(0), run]));
const stop = '.'.charCodeAt(0);

/**
 * Reads one pickle and moves the source past it. `named` resolves names, by default those of torch.save. The storages
 * that the pickle refers to are added to `storages`.
 */
export function unpickle(
  source: PickleSource,
  named: Named = globalNamed,
  storages = new Map<string, StorageReference>(),
): unknown {
  const machine = new Machine(source, named, storages);
  for (let code = source.byte(); code !== stop; code = source.byte()) {
    const run = table.get(code);
    if (!run) throw new FileError(`instruction 0x${code.toString(16)} of pickle is not read.`);
    run(machine);
  }
  return machine.pop();
}
