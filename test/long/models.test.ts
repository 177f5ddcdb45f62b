import { it } from 'vitest';
import { expectSameNumbers, large } from '../models/originals.js';

it.each(large)('%s computes and learns as the original in float64', (name) => expectSameNumbers(name));
