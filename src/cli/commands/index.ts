/**
 * The commands, in the order of the help. A new one is a file in this folder and a line here; a test walks the folder.
 */
import type { Command } from '../command.js';
import { analyzeCommand } from './analyze.js';
import { benchCommand } from './bench.js';
import { buildCommand } from './build.js';
import { compareCommand } from './compare.js';
import { demoCommand } from './demo.js';
import { distillCommand } from './distill.js';
import { doctorCommand } from './doctor.js';
import { evalCommand } from './eval.js';
import { exportCommand } from './export.js';
import { inspectCommand } from './inspect.js';
import { installLibtorchCommand } from './install-libtorch.js';
import { launchCommand } from './launch.js';
import { modelsCommand } from './models.js';
import { packCommand } from './pack.js';
import { predictCommand } from './predict.js';
import { reportCommand } from './report.js';
import { sweepCommand } from './sweep.js';
import { trainCommand } from './train.js';
import { verifyCommand } from './verify.js';
import { verifyResumeCommand } from './verify-resume.js';

export const commands: readonly Command[] = [
  demoCommand,
  distillCommand,
  trainCommand,
  launchCommand,
  evalCommand,
  predictCommand,
  analyzeCommand,
  reportCommand,
  compareCommand,
  sweepCommand,
  exportCommand,
  inspectCommand,
  modelsCommand,
  packCommand,
  verifyCommand,
  verifyResumeCommand,
  benchCommand,
  doctorCommand,
  installLibtorchCommand,
  buildCommand,
];
