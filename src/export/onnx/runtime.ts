/** Loads onnxruntime if the user has installed it; with 290 MB it is too large for a dependency. */
import { ExportError, messageOf } from '../../errors.js';
import { fromArray, type Tensor } from '../../tensor/index.js';
import type { Runtime } from '../format.js';

const typesOf = { float32: 'float32', uint8: 'uint8' } as const;

/** Opens an .onnx file; undefined if onnxruntime-node is not installed. Throws ExportError if it refuses the file. */
export async function onnxRuntime(path: string): Promise<Runtime | undefined> {
  const ort = await import('onnxruntime-node').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  });
  if (!ort) return undefined;
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 3 }).catch((error) => {
    throw new ExportError(`onnxruntime does not accept the file: ${messageOf(error)}`, { cause: error });
  });
  const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
  return {
    name: `onnxruntime ${ort.env.versions.node ?? ort.env.versions.common}`,
    async run(images: Tensor) {
      const type = typesOf[images.dtype as keyof typeof typesOf];
      const feed = new ort.Tensor(type, images.contiguous().toTypedArray() as Float32Array, images.shape);
      const results = await session.run({ [input]: feed });
      const result = results[output] as InstanceType<typeof ort.Tensor>;
      return fromArray(result.data as Float32Array, [...result.dims], { dtype: 'float32' });
    },
    dispose: () => session.release(),
  };
}
