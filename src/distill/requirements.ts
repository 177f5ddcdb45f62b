/** Checks of the features that methods need from both networks; each error says why, and how to fix it. */
import { ConfigError } from '../errors.js';
import type { FeatureShapes, Features } from '../flow.js';
import type { Tensor } from '../tensor/index.js';
import { type Setting, teacherOf } from './method.js';

type Network = 'student' | 'teacher';

const remedies: Record<Network, string> = {
  student: 'Use a student from the model zoo, which returns its maps.',
  teacher: 'Use a teacher from the model zoo, which returns its maps.',
};

/** Returns [C, H, W] of the last map. Throws ConfigError if there is none. */
export function mapShape({ map }: FeatureShapes, network: Network, method: string): number[] {
  if (map?.length === 3) return map;
  throw new ConfigError(
    `${method} compares feature maps, and the ${network} returns only its pooled feature and logits.\n${remedies[network]}`,
  );
}

/** Returns [C, H, W] of a stage; negative numbers count from the last. Throws ConfigError if the stage has no map. */
export function stageShape({ stages }: FeatureShapes, stage: number, network: Network, method: string): number[] {
  if (stages.length === 0) {
    throw new ConfigError(
      `${method} compares the outputs of stages, and the ${network} does not return them.\n${remedies[network]}`,
    );
  }
  const shape = stages.at(stage);
  if (shape?.length === 3) return shape;
  const range = `${-stages.length} to ${stages.length - 1}`;
  if (!shape)
    throw new ConfigError(`${method}: the ${network} has no stage ${stage}; there are ${range}.\nChoose one of these.`);
  throw new ConfigError(
    `${method} compares maps [C, H, W], and stage ${stage} of the ${network} is [${shape.join(', ')}].\nUse a convolutional ${network}.`,
  );
}

/** Returns [C, H, W] of a stage in both networks. Throws ConfigError if one lacks it. */
export function stagePair(setting: Setting, stage: number, method: string): { student: number[]; teacher: number[] } {
  return {
    student: stageShape(setting.student.features, stage, 'student', method),
    teacher: stageShape(teacherOf(setting, method).features, stage, 'teacher', method),
  };
}

/**
 * Returns the numbers of the stages to compare: `chosen`, or all. Throws ConfigError if a stage is missing, or if all
 * are compared and the networks have different numbers of stages.
 */
export function stageNumbers(setting: Setting, chosen: readonly number[] | undefined, method: string): number[] {
  const [ofStudent, ofTeacher] = [setting.student.features.stages, teacherOf(setting, method).features.stages];
  const numbers = chosen ?? ofStudent.map((_, i) => i);
  for (const stage of numbers.length > 0 ? numbers : [0]) stagePair(setting, stage, method);
  if (!chosen && ofStudent.length !== ofTeacher.length) {
    throw new ConfigError(
      `${method} compares stage by stage, and the student has ${ofStudent.length} of them, the teacher ${ofTeacher.length}.\nChoose some by the option stages.`,
    );
  }
  return [...numbers];
}

/** Returns the output of a stage that {@link stageShape} has checked. */
export const stageOf = ({ stages }: Features, stage: number): Tensor => stages.at(stage) as Tensor;
