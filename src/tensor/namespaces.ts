/** `torch.linalg`, `torch.fft` and `torch.special`: the operators whose names begin so. */
import { functions } from './methods.js';
import type { TorchFunctions } from './ops.generated.js';

type Namespace<Prefix extends string> = {
  readonly [Name in keyof TorchFunctions as Name extends `${Prefix}${infer Rest}`
    ? Uncapitalize<Rest>
    : never]: TorchFunctions[Name];
};

function namespace<Prefix extends string>(prefix: Prefix): Namespace<Prefix> {
  const own = Object.entries(functions).filter(([name]) => new RegExp(`^${prefix}[A-Z0-9]`).test(name));
  const short = (name: string) => name.charAt(prefix.length).toLowerCase() + name.slice(prefix.length + 1);
  return Object.freeze(Object.fromEntries(own.map(([name, value]) => [short(name), value]))) as Namespace<Prefix>;
}

/** Linear algebra, as torch.linalg: `torch.linalg.svd(x)` is `torch.linalgSvd(x)`. */
export const linalg = namespace('linalg');
/** Fourier transforms, as torch.fft: `torch.fft.rfft(x)` is `torch.fftRfft(x)`. */
export const fft = namespace('fft');
/** Special functions, as torch.special: `torch.special.erfcx(x)` is `torch.specialErfcx(x)`. */
export const special = namespace('special');
