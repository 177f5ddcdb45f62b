/** What methods ask of the two networks' features before training; each refusal says why, and what would do. */
import { ConfigError } from '../errors.js';
import type { FeatureShapes, Features } from '../flow.js';
import type { Tensor } from '../tensor/index.js';
import { type Setting, teacherOf } from './method.js';

type Network = 'student' | 'teacher';

const remedies: Record<Network, string> = {
  student: 'Use a student from the model zoo, which returns its maps.',
  teacher: 'Use a teacher from the model zoo, which returns its maps.',
};

/** [C, H, W] of the last map. Throws ConfigError where there is none. */
export function mapShape({ map }: FeatureShapes, network: Network, method: string): number[] {
  if (map?.length === 3) return map;
  throw new ConfigError(
    `${method} compares feature maps, and the ${network} returns only its pooled feature and logits.\n${remedies[network]}`,
  );
}

/** [C, H, W] of a stage; negative numbers count from the last. Throws ConfigError where there is no such stage. */
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

/** A stage of both networks. Throws ConfigError where one has no such stage. */
export function stagePair(setting: Setting, stage: number, method: string): { student: number[]; teacher: number[] } {
  return {
    student: stageShape(setting.student.features, stage, 'student', method),
    teacher: stageShape(teacherOf(setting, method).features, stage, 'teacher', method),
  };
}

/**
 * The numbers of the stages to compare: those that were chosen, or all. Throws ConfigError where the networks have
 * different numbers of them.
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

/** The output of a stage that {@link stageShape} has seen. */
export const stageOf = ({ stages }: Features, stage: number): Tensor => stages.at(stage) as Tensor;
