/** The suites, in the order in which they run. A new one is a file in this folder and a line here; a test walks the folder. */
import type { Suite } from '../suite.js';
import { stepSuite } from './step.js';

export const suites: readonly Suite[] = [stepSuite];
