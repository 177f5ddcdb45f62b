/**
 * The suites, in the order in which they run. A new one is a file in this folder and a line here; a test walks the
 * folder.
 */
import type { Suite } from '../suite.js';
import { augmentSuite } from './augment.js';
import { convSuite } from './conv.js';
import { eventLoopSuite } from './event-loop.js';
import { loaderSuite } from './loader.js';
import { memorySuite } from './memory.js';
import { opsSuite } from './ops.js';
import { optimSuite } from './optim.js';
import { predictSuite } from './predict.js';
import { startSuite } from './start.js';
import { stepSuite } from './step.js';
import { studentsSuite } from './students.js';
import { teacherSuite } from './teacher.js';

export const suites: readonly Suite[] = [
  opsSuite,
  stepSuite,
  studentsSuite,
  teacherSuite,
  convSuite,
  loaderSuite,
  predictSuite,
  augmentSuite,
  optimSuite,
  startSuite,
  memorySuite,
  eventLoopSuite,
];
