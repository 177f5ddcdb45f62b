import { type Handle, native } from '../native.js';

/**
 * Memory that graphs of one device have in common: what one of them needs only while it is replayed, the next one uses
 * again. Such graphs must be replayed one after the other, never at the same time, and what is read between two replays
 * must be memory from elsewhere, such as that of tensors that were there before the recording.
 */
export class GraphPool {
  #id: readonly number[] | undefined;
  #graphs = 0;

  /** What libtorch knows it by; undefined while no graph lives, as libtorch frees it with the last one. */
  get id(): readonly number[] | undefined {
    return this.#id;
  }

  /** Counts a graph that has taken memory from it. */
  join(graph: Handle): void {
    this.#id ??= native().graphPool(graph);
    this.#graphs++;
  }

  /** Counts it out. */
  leave(): void {
    if (--this.#graphs === 0) this.#id = undefined;
  }
}

/**
 * Work on a device that was recorded once and is done again by one call, as torch.cuda.CUDAGraph. It reads and writes
 * the very tensors that it was recorded with: new inputs are copied into the old ones. Lives until dispose(), with the
 * memory of all that was made while it was recorded.
 */
export class DeviceGraph {
  private pool: GraphPool | undefined;

  private constructor(private readonly handle: Handle) {}

  /** Whether work on a device can be recorded. */
  static availableOn(device: string): boolean {
    return device !== 'cpu' && native().graphAvailable(device);
  }

  /**
   * Records what `body`, a synchronous function, has the device do; nothing is done before {@link replay}. Throws what
   * `body` throws, and NativeError where something cannot be recorded, such as reading a number. `branches`: how often
   * {@link aside} is called before a {@link join}, apart from the background. `pool`: where its memory comes from;
   * otherwise it has its own.
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
   * Records what `body` has the device do next to all that is recorded after it, up to {@link join}: on a branch of its
   * own, which must not change what another one uses. What it makes must be kept until the recording ends. In the
   * `background`, the device does it where all else leaves room for it.
   */
  aside<T>(body: () => T, { background = false }: { background?: boolean } = {}): T {
    native().graphAside(this.handle, background);
    try {
      return body();
    } finally {
      native().graphBack(this.handle);
    }
  }

  /** What is recorded from now on comes after all that went aside. */
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

  /** Ends a recording that went wrong; that this fails as well says nothing new. */
  private abandon(): void {
    try {
      native().graphEnd(this.handle);
    } catch {
    } finally {
      this.dispose();
    }
  }
}
