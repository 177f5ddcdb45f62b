import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { checkCall } from '../call.js';
import { FileError, messageOf, TeacherError } from '../errors.js';
import type { Features } from '../flow.js';
import { type Handle, native } from '../native.js';
import { didYouMean } from '../suggest.js';
import { owned, scope, Tensor } from '../tensor/index.js';
import { type FastForm, TeacherBase } from './teacher-base.js';

// Teacher.load() passes its options on, but a package runs on the device for which it was compiled.
const kinds = { tap: 'string', device: 'string' } as const;

/**
 * A frozen classifier from an AOTInductor package (`.pt2`), which holds compiled code of its own. Nothing can be tapped
 * in it, so it must give both: what was exported returns (logits, penultimate feature), for any number of contiguous
 * images.
 *
 *     # Python, once:
 *     program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim('batch')},))
 *     torch._inductor.aoti_compile_and_package(program, package_path='teacher.pt2')
 */
export class PackageTeacher extends TeacherBase {
  private constructor(
    source: string,
    classifier: string,
    private readonly handle: Handle,
    weight: Tensor,
    bias: Tensor | null,
  ) {
    super(source, classifier, weight, bias);
    native().keep(handle);
  }

  /**
   * Loads a package; `tap` names the module that is its classifier, where several could be. Throws FileError where it
   * is none that this libtorch can load, TeacherError where no weight could be a classifier's.
   */
  static load(file: string, { tap }: { tap?: string } = {}): PackageTeacher {
    checkCall('PackageTeacher.load', ['file'], kinds, arguments);
    if (!existsSync(file)) throw new FileError(`The package ${file} does not exist.`);
    return scope(() => {
      const handle = opened(file);
      const constants = new Map(
        native()
          .packageConstants(handle)
          .map(({ name, tensor }) => [name, owned(new Tensor(tensor))]),
      );
      const name = classifierName(file, constants, tap);
      const weight = constants.get(`${name}.weight`) as Tensor;
      return new PackageTeacher(file, name, handle, weight, constants.get(`${name}.bias`) ?? null);
    });
  }

  /** Feature and logits of images [N, C, H, W], without gradient. */
  forward(images: Tensor): Features {
    let outputs: Tensor[];
    try {
      // Compiled code assumes contiguous images.
      outputs = native()
        .packageRun(this.handle, images.contiguous().handle)
        .map((output) => owned(new Tensor(output)));
    } catch (error) {
      throw new TeacherError(
        `The teacher ${this.source} does not take images [${images.shape.join(', ')}]: ${messageOf(error)}\nExport it with a dynamic batch (dynamic_shapes).`,
        { cause: error },
      );
    }
    const [logits, pooled] = outputs;
    const fits = logits?.shape[1] === this.numClasses && pooled?.shape[1] === this.featureChannels;
    if (!logits || !pooled || !fits) {
      const shapes = outputs.map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
      throw new TeacherError(
        `${this.source} returns ${shapes}, not logits [N, ${this.numClasses}] and the feature [N, ${this.featureChannels}] of its classifier ${this.classifierName}.\nExport a model that returns (logits, feature).`,
      );
    }
    return { pooled, logits, stages: [] };
  }

  /** Returns undefined: a package is already compiled. */
  accelerated(): FastForm | undefined {
    return undefined;
  }

  fingerprint(): string {
    return createHash('sha256').update(readFileSync(this.source)).update(this.classifierName).digest('hex');
  }

  override dispose(): void {
    native().release(this.handle);
    super.dispose();
  }
}

function opened(file: string): Handle {
  try {
    return native().packageLoad(file);
  } catch (error) {
    throw new FileError(
      `${file} is no AOTInductor package that libtorch ${native().libtorchVersion} can load: ${messageOf(error).split('\n')[0]}\nCompile it with PyTorch of the same version, on the same kind of CPU.`,
      { cause: error },
    );
  }
}

/** Returns `tap`, or the only module whose weight is a matrix. Throws TeacherError if there is no single one. */
function classifierName(file: string, constants: Map<string, Tensor>, tap: string | undefined): string {
  const names = [...constants]
    .filter(([name, { ndim }]) => name.endsWith('.weight') && ndim === 2)
    .map(([name]) => name.slice(0, -'.weight'.length));
  if (tap !== undefined && names.includes(tap)) return tap;
  const [only, ...more] = names;
  if (tap === undefined && only !== undefined && more.length === 0) return only;
  const list = names.join(', ') || 'none';
  throw new TeacherError(
    tap === undefined
      ? `${file} has ${names.length} linear layers (${list}).\nName its classifier with --tap <path>.`
      : `--tap ${tap}: ${file} has no linear layer of that name; there are ${list}.${didYouMean(tap, names)}`,
  );
}
