/** A profile summed up by operator or by kernel, as numbers and as text. */
import Table from 'cli-table3';
import { ArgumentError } from '../errors.js';
import type { ProfileEvent } from './profile-events.js';

/** Sums over all events with one name (and, with `groupByShapes`, the same shapes). Times are in microseconds. */
export interface ProfileRow {
  name: string;
  calls: number;
  cpuTotal: number;
  cpuSelf: number;
  deviceTotal: number;
  deviceSelf: number;
  /** Bytes allocated minus bytes freed, without events inside; 0 without profileMemory. */
  cpuMemory: number;
  deviceMemory: number;
  /** Shapes of the arguments; only with `groupByShapes`. */
  shapes?: number[][];
}

/** Column that a table is sorted by, largest first. */
export type ProfileSort = Exclude<keyof ProfileRow, 'name' | 'shapes'>;

/** How {@link Profile.table} sorts and cuts its rows. */
export interface ProfileTableOptions {
  /** `operator` (default): CPU events and the device time that they caused. `kernel`: device events. */
  groupBy?: 'operator' | 'kernel';
  /** One row for each combination of argument shapes; needs recordShapes. Default: whether shapes were recorded. */
  groupByShapes?: boolean;
  /** Default: `deviceSelf` if any event ran on a device, otherwise `cpuSelf`. */
  sortBy?: ProfileSort;
  /** Default 20. */
  rowLimit?: number;
}

const sorts: readonly ProfileSort[] = [
  'calls',
  'cpuTotal',
  'cpuSelf',
  'deviceTotal',
  'deviceSelf',
  'cpuMemory',
  'deviceMemory',
];

/** Sums events by name, sorted by `sortBy`. As PyTorch's key_averages(). */
export function profileRows(
  events: readonly ProfileEvent[],
  { groupBy = 'operator', groupByShapes = events.some(({ shapes }) => shapes), sortBy }: ProfileTableOptions = {},
): ProfileRow[] {
  if (groupBy !== 'operator' && groupBy !== 'kernel')
    throw new ArgumentError(`groupBy is 'operator' or 'kernel', not ${JSON.stringify(groupBy)}.`);
  if (sortBy !== undefined && !sorts.includes(sortBy))
    throw new ArgumentError(`A profile is sorted by ${sorts.join(', ')}, not by ${JSON.stringify(sortBy)}.`);
  const rows = new Map<string, ProfileRow>();
  for (const event of events) {
    const onDevice = event.device !== 'cpu';
    // Device ranges only repeat the ranges of the CPU.
    if (onDevice !== (groupBy === 'kernel') || (onDevice && event.kind === 'range')) continue;
    const key = JSON.stringify([event.name, event.kind === 'range', groupByShapes && event.shapes]);
    const row = rows.get(key) ?? emptyRow(event, groupByShapes);
    rows.set(key, row);
    row.calls++;
    row.cpuTotal += onDevice ? 0 : event.duration;
    row.cpuSelf += event.selfCpu;
    row.deviceTotal += event.deviceTime;
    row.deviceSelf += event.selfDeviceTime;
    row.cpuMemory += event.selfCpuMemory;
    row.deviceMemory += event.selfDeviceMemory;
  }
  const all = [...rows.values()];
  const by = sortBy ?? (all.some(({ deviceSelf }) => deviceSelf > 0) ? 'deviceSelf' : 'cpuSelf');
  return all.sort((a, b) => b[by] - a[by]);
}

const emptyRow = ({ name, shapes }: ProfileEvent, withShapes: boolean): ProfileRow => ({
  name,
  calls: 0,
  cpuTotal: 0,
  cpuSelf: 0,
  deviceTotal: 0,
  deviceSelf: 0,
  cpuMemory: 0,
  deviceMemory: 0,
  ...(withShapes && shapes && { shapes }),
});

/** The rows as a text table, with the totals in the last line. */
export function profileTable(events: readonly ProfileEvent[], options: ProfileTableOptions = {}): string {
  const { groupBy = 'operator', rowLimit = 20 } = options;
  if (!(rowLimit >= 1)) throw new ArgumentError(`rowLimit is 1 or more, not ${rowLimit}.`);
  const rows = profileRows(events, options);
  const total = (of: ProfileSort) => rows.reduce((sum, row) => sum + row[of], 0);
  const [cpu, device] = [total('cpuSelf'), total('deviceSelf')];
  const columns: [string, (row: ProfileRow) => string][] = [
    [groupBy, ({ name }) => (name.length > 60 ? `${name.slice(0, 57)}...` : name)],
    ['calls', ({ calls }) => String(calls)],
  ];
  if (groupBy === 'operator')
    columns.push(
      ['CPU self', ({ cpuSelf }) => timeText(cpuSelf)],
      ['', ({ cpuSelf }) => shareText(cpuSelf, cpu)],
      ['CPU total', ({ cpuTotal }) => timeText(cpuTotal)],
    );
  if (device > 0)
    columns.push(
      ['device self', ({ deviceSelf }) => timeText(deviceSelf)],
      ['', ({ deviceSelf }) => shareText(deviceSelf, device)],
      ['device total', ({ deviceTotal }) => timeText(deviceTotal)],
    );
  for (const [head, of] of [
    ['CPU memory', 'cpuMemory'],
    ['device memory', 'deviceMemory'],
  ] as const)
    if (rows.some((row) => row[of] !== 0)) columns.push([head, (row) => bytesText(row[of])]);
  if (rows.some(({ shapes }) => shapes))
    columns.push(['shapes', ({ shapes = [] }) => shapes.map((shape) => `[${shape.join(', ')}]`).join(' ')]);
  const drawn = new Table({ head: columns.map(([head]) => head), style: { head: [], border: [], compact: true } });
  drawn.push(...rows.slice(0, rowLimit).map((row) => columns.map(([, text]) => text(row))));
  const hidden = rows.length > rowLimit ? `, ${rows.length - rowLimit} more rows` : '';
  const sums = [
    ...(groupBy === 'operator' ? [`CPU ${timeText(cpu)}`] : []),
    ...(device > 0 ? [`device ${timeText(device)}`] : []),
  ];
  return `${drawn.toString()}\nin all: ${sums.join(', ') || 'nothing ran on a device'}${hidden}`;
}

function timeText(microseconds: number): string {
  if (microseconds < 1e3) return `${microseconds.toFixed(1)} us`;
  return microseconds < 1e6 ? `${(microseconds / 1e3).toFixed(2)} ms` : `${(microseconds / 1e6).toFixed(2)} s`;
}

const shareText = (part: number, whole: number): string => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : '-');

function bytesText(bytes: number): string {
  const size = Math.abs(bytes);
  if (size < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return size < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
