import { type Handle, native } from '../native.js';

/**
 * Memory that device graphs share: the next graph reuses what the previous one needs only during its replay. The graphs
 * must be replayed one after the other, never at the same time. Values that are read between two replays must lie in
 * other memory, such as that of tensors made before the capture.
 */
export class GraphPool {
  #id: readonly number[] | undefined;
  #graphs = 0;

  /** libtorch's id of the pool; undefined while no graph lives, as libtorch frees the pool with the last one. */
  get id(): readonly number[] | undefined {
    return this.#id;
  }

  /** Counts in a graph that uses memory of the pool. */
  join(graph: Handle): void {
    this.#id ??= native().graphPool(graph);
    this.#graphs++;
  }

  /** Counts out a graph that was freed. */
  leave(): void {
    if (--this.#graphs === 0) this.#id = undefined;
  }
}

/**
 * Work on a device that is captured once and replayed by one call, as torch.cuda.CUDAGraph. It reads and writes the
 * same tensors as at capture: copy new inputs into the old ones. Lives until dispose(), with the memory of all tensors
 * made during the capture.
 */
export class DeviceGraph {
  private pool: GraphPool | undefined;

  private constructor(private readonly handle: Handle) {}

  /** Whether work on a device can be captured. */
  static availableOn(device: string): boolean {
    return device !== 'cpu' && native().graphAvailable(device);
  }

  /**
   * Captures the device work of `body`, a synchronous function; nothing runs before {@link replay}. Throws what `body`
   * throws, and NativeError for an operation that cannot be captured, such as reading a number. `branches`: how often
   * {@link aside} is called before a {@link join}, not counting background calls. `pool`: shared memory; by default the
   * graph has its own.
   */
  static record(
    device: string,
    body: (graph: DeviceGraph) => void,
    { branches = 1, pool }: { branches?: number; pool?: GraphPool | undefined } = {},
  ): DeviceGraph {
    const handle = native().graphBegin(device, branches, pool?.id);
    native().keep(handle);
    const graph = new DeviceGraph(handle);
    try {
      body(graph);
    } catch (error) {
      graph.abandon();
      throw error;
    }
    try {
      native().graphEnd(handle);
    } catch (error) {
      graph.dispose();
      throw error;
    }
    pool?.join(handle);
    graph.pool = pool;
    return graph;
  }

  /**
   * Captures the device work of `body` on a parallel branch, next to all work captured after it up to {@link join}. The
   * branch must not change tensors that another branch uses, and its new tensors must be kept until the capture ends.
   * With `background`, the branch runs where the other work leaves room.
   */
  aside<T>(body: () => T, { background = false }: { background?: boolean } = {}): T {
    native().graphAside(this.handle, background);
    try {
      return body();
    } finally {
      native().graphBack(this.handle);
    }
  }

  /** Makes all work captured from now on wait for every branch of {@link aside}. */
  join(): void {
    native().graphJoin(this.handle);
  }

  replay(): void {
    native().graphReplay(this.handle);
  }

  dispose(): void {
    native().release(this.handle);
    this.pool?.leave();
    this.pool = undefined;
  }

  /** Ends a failed capture; a second error here adds no information. */
  private abandon(): void {
    try {
      native().graphEnd(this.handle);
    } catch {
    } finally {
      this.dispose();
    }
  }
}
