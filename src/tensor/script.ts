import { existsSync } from 'node:fs';
import { DamagedError, FileError, messageOf } from '../errors.js';
import { type Handle, native } from '../native.js';
import type { ScriptResult } from '../native-types.js';
import { checkZip } from '../zip-check.js';
import { uncloneable } from './conversion.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/** Tensors, null for None, and arrays for tuples and lists. */
export type ScriptOutput = Tensor | null | ScriptOutput[];

/** A TorchScript module from a file, in evaluation mode. Lives until dispose(). */
export class ScriptModule {
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;

  private constructor(
    /** The file that the module was loaded from. */
    readonly file: string,
    /** @internal */
    readonly handle: Handle,
  ) {
    native().keep(handle);
  }

  /**
   * Loads a file as torch.jit.load, after verifying the checksums of the archive, which libtorch does not. On the CPU,
   * half precision becomes float32, which is faster there, unless `keepPrecision` is set. Throws FileError if the file
   * does not exist or is not TorchScript.
   */
  static load(
    this: void,
    file: string,
    { device = 'cpu', keepPrecision = false }: { device?: string; keepPrecision?: boolean } = {},
  ): ScriptModule {
    if (!existsSync(file)) throw new FileError(`The TorchScript file ${file} does not exist.`);
    try {
      checkZip(file);
      return new ScriptModule(file, native().scriptLoad(file, device, keepPrecision));
    } catch (error) {
      const ofSystem = (error as NodeJS.ErrnoException).syscall !== undefined;
      if (!(error instanceof FileError || ofSystem)) throw error;
      const why = messageOf(error)
        .split(/\n|\. /)[0]
        ?.replace(/\.$/, '');
      if (error instanceof DamagedError)
        throw new DamagedError(`${file} cannot be read: ${why}.\nCopy it again, or export it again.`, { cause: error });
      throw new FileError(
        `${file} is no TorchScript file that can be read (${why}).\nExport one with torch.export.save(torch.export.export(model.eval(), (images,)), 'teacher.pt2'), or torch.jit.trace(model.eval(), images).save(path).`,
        {
          cause: error,
        },
      );
    }
  }

  /** @internal Wraps a native module that was made from `file`. */
  static of(file: string, handle: Handle): ScriptModule {
    return new ScriptModule(file, handle);
  }

  forward(...inputs: Tensor[]): ScriptOutput {
    return wrapped(native().scriptForward(this.handle, ...inputs.map((input) => input.handle)));
  }

  dispose(): void {
    native().release(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function wrapped(result: ScriptResult): ScriptOutput {
  if (Array.isArray(result)) return result.map(wrapped);
  return result === null ? null : owned(new Tensor(result));
}
