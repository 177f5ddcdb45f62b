/** Tensors as text, laid out as PyTorch prints them: 4 digits, equal widths, a summary of large ones. */
import { formatNested, formatSpecial } from './format-special.js';
import type { Tensor } from './tensor.js';

const threshold = 1000;
const edgeItems = 3;
const lineWidth = 80;
const digits = 4;

/** `tensor([[1., 2.]], dtype=float64, gradFn=AddBackward0)` */
export function format(tensor: Tensor): string {
  if (tensor.isNested) return formatNested(tensor);
  if (tensor.layout !== 'strided' || tensor.device === 'meta' || tensor.dtype.startsWith('q'))
    return formatSpecial(tensor);
  const { shape, dtype, device } = tensor;
  const numel = shape.reduce((product, size) => product * size, 1);
  const suffixes: string[] = [];
  if (numel === 0) suffixes.push(`size=[${shape.join(', ')}]`);
  if (!['float32', 'int64', 'bool', 'complex64'].includes(dtype) || numel === 0) suffixes.push(`dtype=${dtype}`);
  if (device !== 'cpu') suffixes.push(`device='${device}'`);
  suffixes.push(...autogradSuffixes(tensor));
  return `${prefix}${[elementsOf(tensor, prefix.length), ...suffixes].join(', ')})`;
}

const prefix = 'tensor(';

/** The elements in brackets. */
export function elementsOf(tensor: Tensor, indent: number): string {
  const numel = tensor.numel();
  return numel === 0 ? '[]' : new Layout(tensor, numel > threshold).text(indent);
}

export function autogradSuffixes({ gradFn, requiresGrad }: Tensor): string[] {
  if (gradFn) return [`gradFn=${gradFn}`];
  return requiresGrad ? ['requiresGrad=true'] : [];
}

class Layout {
  readonly #width: number;
  readonly #write: (value: unknown) => string;

  constructor(
    readonly tensor: Tensor,
    readonly summarize: boolean,
  ) {
    const values = this.visible();
    this.#write = writerFor(tensor.dtype, values);
    this.#width = Math.max(0, ...values.map((value) => this.#write(value).length));
  }

  text(indent: number): string {
    return this.block(this.tensor, indent);
  }

  /** The elements that are shown; they determine the common width and notation. */
  private visible(): unknown[] {
    const corners = (tensor: Tensor): unknown[] => {
      if (tensor.ndim === 0) return [tensor.item()];
      const size = tensor.shape[0] as number;
      if (!this.summarize || size <= 2 * edgeItems) {
        return tensor.ndim === 1 ? (tensor.tolist() as unknown[]) : tensor.unbind(0).flatMap(corners);
      }
      return [tensor.narrow(0, 0, edgeItems), tensor.narrow(0, size - edgeItems, edgeItems)].flatMap((part) =>
        part.ndim === 1 ? (part.tolist() as unknown[]) : part.unbind(0).flatMap(corners),
      );
    };
    return corners(this.tensor);
  }

  private block(tensor: Tensor, indent: number): string {
    if (tensor.ndim === 0) return this.#write(tensor.item());
    if (tensor.ndim === 1) return this.row(tensor, indent);
    const size = tensor.shape[0] as number;
    const parts = this.rows(size).map((i) => (i === null ? '...' : this.block(tensor.select(0, i), indent + 1)));
    return `[${parts.join(`,${'\n'.repeat(tensor.ndim - 1)}${' '.repeat(indent + 1)}`)}]`;
  }

  private row(tensor: Tensor, indent: number): string {
    const values = tensor.tolist() as unknown[];
    const cells = this.rows(values.length).map((i) =>
      i === null ? ' ...' : this.#write(values[i]).padStart(this.#width),
    );
    const perLine = Math.max(1, Math.floor((lineWidth - indent) / (this.#width + 2)));
    const lines: string[] = [];
    for (let i = 0; i < cells.length; i += perLine) lines.push(cells.slice(i, i + perLine).join(', '));
    return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
  }

  /** Positions to show; null stands for the omitted ones. */
  private rows(size: number): (number | null)[] {
    const all = Array.from({ length: size }, (_, i) => i);
    if (!this.summarize || size <= 2 * edgeItems) return all;
    return [...all.slice(0, edgeItems), null, ...all.slice(-edgeItems)];
  }
}

/**
 * Returns the number format of a tensor: whole floats with a point, other floats with four decimals, or all in
 * scientific notation.
 */
function writerFor(dtype: string, values: unknown[]): (value: unknown) => string {
  if (dtype.startsWith('complex')) {
    const real = writerFor('float32', (values as [number, number][]).flat());
    return (value) => {
      const [re, im] = value as [number, number];
      return `${real(re)}${im < 0 || Object.is(im, -0) ? '-' : '+'}${real(Math.abs(im))}j`;
    };
  }
  if (!dtype.startsWith('float') && dtype !== 'bfloat16') return (value) => String(value);
  const finite = (values as number[]).filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const [largest, smallest] = [Math.max(0, ...finite), Math.min(Number.POSITIVE_INFINITY, ...finite)];
  const special = (value: number) => (Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf');
  const plain = (write: (value: number) => string) => (value: unknown) =>
    Number.isFinite(value) ? write(value as number) : special(value as number);
  if (finite.every(Number.isInteger)) {
    return largest / smallest > 1000 || largest > 1e8
      ? plain(scientific)
      : plain((value) => `${Object.is(value, -0) ? '-0' : value}.`);
  }
  if (largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4) return plain(scientific);
  return plain((value) => value.toFixed(digits));
}

/** `1.2346e+05`, with a two-digit exponent as in PyTorch. */
function scientific(value: number): string {
  return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
}
