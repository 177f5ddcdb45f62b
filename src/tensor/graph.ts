import { type Handle, native } from '../native.js';

/**
 * Work on a device that was recorded once and is done again by one call, as torch.cuda.CUDAGraph. It reads and writes
 * the very tensors that it was recorded with: new inputs are copied into the old ones. Lives until dispose(), with the
 * memory of all that was made while it was recorded.
 */
export class DeviceGraph {
  private constructor(private readonly handle: Handle) {}

  /** Whether work on a device can be recorded. */
  static availableOn(device: string): boolean {
    return device !== 'cpu' && native().graphAvailable(device);
  }

  /**
   * Records what `body`, a synchronous function, has the device do; nothing is done before {@link replay}. Throws what
   * `body` throws, and NativeError where something cannot be recorded, such as reading a number. `branches`: how often
   * {@link aside} is called before a {@link join}.
   */
  static record(
    device: string,
    body: (graph: DeviceGraph) => void,
    { branches = 1 }: { branches?: number } = {},
  ): DeviceGraph {
    const handle = native().graphBegin(device, branches);
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
    return graph;
  }

  /**
   * Records what `body` has the device do next to all that is recorded after it, up to {@link join}: on a branch of its
   * own, which must not change what another one uses. What it makes must be kept until the recording ends.
   */
  aside<T>(body: () => T): T {
    native().graphAside(this.handle);
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
