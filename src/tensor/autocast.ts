import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import { type DType, dtypeCode } from './dtype.js';

const kinds: Kinds<AutocastOptions> = { dtype: ['bfloat16', 'float16'], enabled: 'boolean', cacheEnabled: 'boolean' };

/** Options of `torch.autocast`. */
export interface AutocastOptions {
  /** Default: bfloat16 on the CPU, float16 elsewhere. */
  dtype?: 'bfloat16' | 'float16';
  /** Default true; false switches it off inside a region. */
  enabled?: boolean;
  /** Caches the casts of weights within the region. Default true. */
  cacheEnabled?: boolean;
}

/** Runs `body` with operators in half precision where that is safe, as torch.autocast. `body` must be synchronous. */
export function autocast<T>(deviceType: string, body: () => T, options: AutocastOptions = {}): T {
  checkCall('autocast', ['deviceType: text', 'body: function'], kinds, arguments);
  const { dtype, enabled = true, cacheEnabled = true } = options;
  const chosen: DType = dtype ?? (deviceType === 'cpu' ? 'bfloat16' : 'float16');
  native().pushAutocast(deviceType, enabled, dtypeCode(chosen), cacheEnabled);
  try {
    const result = body();
    if (!(result instanceof Promise)) return result;
    result.catch(() => {});
    throw new ArgumentError('autocast() takes a synchronous function: the mode would end before the promise does.');
  } finally {
    native().popAutocast();
  }
}

/**
 * Runs `body` so that a backward pass in it throws at the first node that returns NaN, and names that node. As
 * torch.autograd.detect_anomaly.
 */
export function detectAnomaly<T>(body: () => T, options: { checkNaN?: boolean } = {}): T {
  checkCall('detectAnomaly', ['body: function'], { checkNaN: 'boolean' }, arguments);
  const { checkNaN = true } = options;
  const before = native().setAnomalyMode(true, checkNaN);
  try {
    return body();
  } finally {
    native().setAnomalyMode(before, checkNaN);
  }
}
