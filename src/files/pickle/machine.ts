/**
 * The stack machine of pickle, for protocols 2 to 5, without the instructions that make objects of classes. What a name stands for, a
 * caller's table says.
 */
import { FileError } from '../../errors.js';
import { globalNamed, storageNamed } from './globals.js';
import type { PickleSource } from './source.js';
import { Callable, Dict, type Named, Stateful } from './values.js';

const longestInteger = 65536;

class Machine {
  readonly memo = new Map<number, unknown>();
  readonly #stack: unknown[] = [];
  readonly #marks: number[] = [];
  #budget: number;

  constructor(
    readonly source: PickleSource,
    readonly named: Named,
  ) {
    this.#budget = source.size;
  }

  /** Copies are paid for: without sharing, what a pickle copies is no more than what it holds. */
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

  /** What lies above the last mark. */
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
  const list = machine.top();
  if (!Array.isArray(list)) throw new FileError('its pickle is damaged: it appends to what is no list.');
  return list;
}

function setItems(machine: Machine, items: unknown[]): void {
  const dict = machine.top();
  if (!(dict instanceof Dict) || items.length % 2 === 1)
    throw new FileError('its pickle is damaged: it sets items of what is no dict.');
  for (let i = 0; i < items.length; i += 2) dict.items.set(items[i], items[i + 1]);
}

function addItems(machine: Machine, items: unknown[]): void {
  const set = machine.top();
  if (!(set instanceof Set)) throw new FileError('its pickle is damaged: it adds to what is no set.');
  for (const item of items) set.add(item);
}

function append(machine: Machine, items: unknown[]): void {
  const list = listAtTop(machine);
  for (const item of items) list.push(item);
}

function reduce(machine: Machine): void {
  const [callable, args] = machine.take(2);
  if (!(callable instanceof Callable) || !callable.call || !Array.isArray(args))
    throw new FileError('its pickle calls what cannot be called.');
  machine.push(callable.call(args, machine.spend));
}

/** Attributes of an OrderedDict, such as the versions in a state dict, are left out. */
function build(machine: Machine): void {
  const state = machine.pop();
  const object = machine.top();
  if (object instanceof Stateful) object.setState(state);
  else if (!(object instanceof Dict))
    throw new FileError('its pickle sets the state of an object; only data are read.');
}

function stackGlobal(machine: Machine): void {
  const [module, name] = machine.take(2);
  if (typeof module !== 'string' || typeof name !== 'string') throw new FileError('a name in its pickle is not valid.');
  machine.push(machine.named(module, name));
}

/** A little-endian integer in two's complement. */
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

function protocol(version: number): void {
  if (version < 2 || version > 5) throw new FileError(`protocol ${version} of pickle is not read; 2 to 5 are.`);
}

// By the letters and numbers that Lib/pickle.py gives them.
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
  ['Q', (m) => m.push(storageNamed(m.pop()))],
  ['h', (m) => m.recall(uint8(m))],
  ['j', (m) => m.recall(uint32(m))],
  ['q', (m) => void m.memo.set(uint8(m), m.top())],
  ['r', (m) => void m.memo.set(uint32(m), m.top())],
  [0x94, (m) => void m.memo.set(m.memo.size, m.top())],
]);
const table = new Map([...instructions].map(([code, run]) => [Number(code) || String(code).charCodeAt(0), run]));
const stop = '.'.charCodeAt(0);

/** Reads one pickle and leaves the source behind it. `named` says which names it may use: those of torch.save where nothing is said. */
export function unpickle(source: PickleSource, named: Named = globalNamed): unknown {
  const machine = new Machine(source, named);
  for (let code = source.byte(); code !== stop; code = source.byte()) {
    const run = table.get(code);
    if (!run) throw new FileError(`instruction 0x${code.toString(16)} of pickle is not read.`);
    run(machine);
  }
  return machine.pop();
}
