/** Events of a profile, nested and timed as in PyTorch's key_averages(). */
import type { RawProfile } from '../native-types.js';

/** Kind of an event. `runtime` means calls of the device's runtime or driver, such as cudaLaunchKernel. */
export type ProfileEventKind = 'operator' | 'range' | 'runtime' | 'kernel' | 'copy' | 'memory' | 'other';

/** One event of a profile. Times are in microseconds since the profile began. */
export interface ProfileEvent {
  /** An operator such as `aten::mm`, or the name of a kernel or of a recordFunction() range. */
  name: string;
  kind: ProfileEventKind;
  /** Where it ran: `cpu` or `cuda:0`. */
  device: string;
  /** The CPU thread, or the stream of a device. */
  thread: number;
  start: number;
  duration: number;
  /** `duration` without events inside it in the same thread; 0 on a device. */
  selfCpu: number;
  /** Time of the kernels that it and the events inside it launched; on a device the event's own duration. */
  deviceTime: number;
  /** Time of the kernels that it launched itself; on a device the event's own duration. */
  selfDeviceTime: number;
  /** Bytes allocated minus bytes freed; 0 without profileMemory. */
  cpuMemory: number;
  selfCpuMemory: number;
  deviceMemory: number;
  selfDeviceMemory: number;
  /** Shapes of the arguments, [] for those that are not tensors; only with recordShapes. */
  shapes?: number[][];
}

/** An intermediate form of a {@link ProfileEvent}; times in nanoseconds. */
interface Node {
  name: string;
  activity: number;
  device: string;
  thread: number;
  start: number;
  end: number;
  async: boolean;
  shapes?: number[][];
  parent?: Node;
  children: Node[];
  kernels: number;
  memory: [cpu: number, device: number];
}

// libtorch's numbers of device types (c10::DeviceType) and Kineto's numbers of activities.
const deviceNames: Record<number, string> = { 0: 'cpu', 1: 'cuda', 6: 'hip', 12: 'xpu', 13: 'mps', 18: 'hpu' };
const kinds: Record<number, ProfileEventKind> = {
  0: 'operator',
  1: 'range',
  2: 'range',
  3: 'copy',
  4: 'copy',
  5: 'kernel',
  7: 'runtime',
  8: 'runtime',
};
const memoryName = '[memory]';
/** Events that PyTorch hides as well. */
const hiddenNames = new Set([
  memoryName,
  '[OutOfMemory]',
  'profiler::_record_function_enter',
  'profiler::_record_function_enter_new',
  'profiler::_record_function_exit',
  'aten::is_leaf',
  'aten::output_nr',
  'aten::_version',
]);

/** Converts the addon's raw profile. An event that is the only child of one with the same name is merged into it. */
export function profileEvents({ names, shapes, columns, events }: RawProfile): ProfileEvent[] {
  const shapeLists = shapes.map((text) => JSON.parse(text) as number[][]);
  const nodes: Node[] = [];
  const memory: { at: number; bytes: number; onCpu: boolean; used: boolean }[] = [];
  const operators = new Map<number, Node>();
  const linked: [number, Node][] = [];
  for (let row = 0; row + columns <= events.length; row += columns) {
    const [
      name,
      activity,
      type,
      index,
      start,
      duration,
      thread,
      correlation,
      link,
      async,
      bytes,
      shape,
      stream,
      hidden,
    ] = events.subarray(row, row + columns) as unknown as number[] & { length: 14 };
    const text = names[name as number] as string;
    if (text === memoryName)
      memory.push({ at: start as number, bytes: bytes as number, onCpu: type === 0, used: false });
    if (hidden || hiddenNames.has(text)) continue;
    const onCpu = type === 0;
    const device = deviceNames[type as number] ?? 'other';
    const list = shapeLists[shape as number];
    const node: Node = {
      name: text.startsWith('ProfilerStep#') ? 'ProfilerStep*' : text,
      activity: activity as number,
      device: onCpu ? device : `${device}:${index}`,
      thread: (onCpu ? thread : stream) as number,
      start: start as number,
      end: (start as number) + (duration as number),
      async: async !== 0,
      ...(list && { shapes: list }),
      children: [],
      kernels: 0,
      memory: [0, 0],
    };
    nodes.push(node);
    if ((link as number) > 0) linked.push([link as number, node]);
    else if (onCpu && !node.async) operators.set(correlation as number, node);
  }
  for (const [correlation, node] of linked) {
    const operator = operators.get(correlation);
    if (!operator) continue;
    if (node.device === 'cpu') node.thread = operator.thread;
    else operator.kernels += node.end - node.start;
  }
  addMemory(nodes, memory);
  nest(nodes);
  const kept = withoutRepeats(nodes);
  const loose = memory.filter(({ used }) => !used).map(({ at, bytes, onCpu }) => looseMemory(at, bytes, onCpu));
  return [...kept.map(published), ...loose].sort((a, b) => a.start - b.start || b.duration - a.duration);
}

/** Adds to every CPU event the memory that was allocated and freed during it. */
function addMemory(nodes: Node[], memory: { at: number; bytes: number; onCpu: boolean; used: boolean }[]): void {
  if (memory.length === 0) return;
  memory.sort((a, b) => a.at - b.at);
  for (const node of nodes) {
    if (node.device !== 'cpu') continue;
    let low = 0;
    for (let high = memory.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((memory[middle] as { at: number }).at < node.start) low = middle + 1;
      else high = middle;
    }
    for (let record = memory[low]; record && record.at <= node.end; record = memory[++low]) {
      node.memory[record.onCpu ? 0 : 1] += record.bytes;
      record.used = true;
    }
  }
}

const looseMemory = (at: number, bytes: number, onCpu: boolean): ProfileEvent => ({
  name: memoryName,
  kind: 'memory',
  device: 'cpu',
  thread: 0,
  start: at / 1000,
  duration: 0,
  selfCpu: 0,
  deviceTime: 0,
  selfDeviceTime: 0,
  cpuMemory: onCpu ? bytes : 0,
  selfCpuMemory: onCpu ? bytes : 0,
  deviceMemory: onCpu ? 0 : bytes,
  selfDeviceMemory: onCpu ? 0 : bytes,
});

/** Makes each event a child of the innermost event of its thread that contains it. */
function nest(nodes: readonly Node[]): void {
  for (const events of byThread(nodes.filter(isNested)).values()) {
    events.sort((a, b) => a.start - b.start || b.end - a.end);
    const open: Node[] = [];
    for (const event of events) {
      for (let parent = open.at(-1); parent; parent = open.at(-1)) {
        if (event.start < parent.end && event.end <= parent.end) {
          parent.children.push(event);
          event.parent = parent;
          break;
        }
        open.pop();
      }
      open.push(event);
    }
  }
}

const isNested = ({ async, device }: Node): boolean => !async && device === 'cpu';

function byThread(nodes: readonly Node[]): Map<number, Node[]> {
  const groups = new Map<number, Node[]>();
  for (const node of nodes) {
    const group = groups.get(node.thread);
    if (group) group.push(node);
    else groups.set(node.thread, [node]);
  }
  return groups;
}

/**
 * Removes events that are the only child of an event with the same name, such as an operator that calls another of its
 * overloads.
 */
function withoutRepeats(nodes: Node[]): Node[] {
  let left = [...nodes].sort((a, b) => a.start - b.start || b.end - a.end);
  for (;;) {
    const repeats = new Set<Node>();
    for (const node of left) {
      const { parent } = node;
      if (!parent || parent.name !== node.name || parent.children.length !== 1) continue;
      parent.children = node.children;
      parent.kernels = node.kernels;
      for (const child of node.children) child.parent = parent;
      repeats.add(node);
    }
    if (repeats.size === 0) return left;
    left = left.filter((node) => !repeats.has(node));
  }
}

const sumOf = (nodes: readonly Node[], value: (node: Node) => number): number =>
  nodes.reduce((sum, node) => sum + value(node), 0);
const lengthOf = ({ start, end }: Node): number => end - start;
const deviceTimeOf = (node: Node): number => node.kernels + sumOf(node.children, deviceTimeOf);

function published(node: Node): ProfileEvent {
  const { name, activity, device, thread, start, children, kernels, memory, shapes, async } = node;
  const duration = lengthOf(node);
  const onCpu = device === 'cpu';
  const own = onCpu && !async;
  const less = (part: 0 | 1) => (own ? memory[part] - sumOf(children, (child) => child.memory[part]) : 0);
  return {
    name,
    kind: kinds[activity] ?? 'other',
    device,
    thread,
    start: start / 1000,
    duration: duration / 1000,
    selfCpu: own ? (duration - sumOf(children, lengthOf)) / 1000 : 0,
    deviceTime: (onCpu ? (own ? deviceTimeOf(node) : 0) : duration) / 1000,
    selfDeviceTime: (onCpu ? (own ? kernels : 0) : duration) / 1000,
    cpuMemory: memory[0],
    selfCpuMemory: less(0),
    deviceMemory: memory[1],
    selfDeviceMemory: less(1),
    ...(shapes && { shapes }),
  };
}
