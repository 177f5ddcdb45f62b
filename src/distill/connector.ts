import { checkCall } from '../call.js';
import { ConfigError } from '../errors.js';
import type { FeatureShapes, Features } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, init, Linear, Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/**
 * r(.): maps the student's feature to the teacher's width, [N, C_S(, H, W)] -> [N, C_T]. Trained with the student,
 * never exported.
 */
export abstract class Connector extends Module {
  abstract override forward(student: Features): Tensor;
}

/** 1x1 convolution, batch normalization, ReLU; a ReLU because the teacher's feature usually comes from one. */
abstract class ConvConnector extends Connector {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(
    readonly studentChannels: number,
    readonly teacherChannels: number,
  ) {
    super();
    checkCall(`new ${new.target.name}`, ['studentChannels', 'teacherChannels'], undefined, arguments);
    this.conv = new Conv2d(studentChannels, teacherChannels, 1, { bias: false });
    this.bn = new BatchNorm2d(teacherChannels);
  }
}

/** As in the authors' code: transforms the last map, then averages it. Used even if the widths are equal. */
export class MapConnector extends ConvConnector {
  constructor(studentChannels: number, teacherChannels: number) {
    checkCall('new MapConnector', ['studentChannels', 'teacherChannels'], undefined, arguments);
    super(studentChannels, teacherChannels);
    init.normal_(this.conv.weight, 0, Math.sqrt(2 / teacherChannels));
  }

  override forward({ map }: Features): Tensor {
    if (!map) throw new ConfigError('The map connector needs a student with a last map; use the pooled connector.');
    return this.bn.forwardReluPool(this.conv.forward(map));
  }
}

/**
 * As in SimKD's benchmark code: transforms the averaged feature. For students without a map; not equivalent to
 * {@link MapConnector}.
 */
export class PooledConnector extends ConvConnector {
  override forward({ pooled }: Features): Tensor {
    return this.bn.forwardRelu(this.conv.forward(pooled.unsqueeze(2).unsqueeze(3))).flatten(1);
  }
}

/** One linear layer on the pooled feature, for teachers whose feature does not come from a ReLU. */
export class LinearConnector extends Connector {
  readonly linear: Linear;

  constructor(studentChannels: number, teacherChannels: number) {
    super();
    checkCall('new LinearConnector', ['studentChannels', 'teacherChannels'], undefined, arguments);
    this.linear = new Linear(studentChannels, teacherChannels);
  }

  override forward({ pooled }: Features): Tensor {
    return this.linear.forward(pooled);
  }
}

/** Two linear layers with a ReLU between; the hidden width is the teacher's. */
export class MLPConnector extends Connector {
  readonly linear1: Linear;
  readonly linear2: Linear;

  constructor(studentChannels: number, teacherChannels: number) {
    super();
    checkCall('new MLPConnector', ['studentChannels', 'teacherChannels'], undefined, arguments);
    this.linear1 = new Linear(studentChannels, teacherChannels);
    this.linear2 = new Linear(teacherChannels, teacherChannels);
  }

  override forward({ pooled }: Features): Tensor {
    return this.linear2.forward(F.relu(this.linear1.forward(pooled)));
  }
}

/** Returns the pooled feature unchanged; the widths must be equal. */
export class IdentityConnector extends Connector {
  override forward({ pooled }: Features): Tensor {
    return pooled;
  }
}

/** Names of the connectors from the student's to the teacher's width; see {@link createConnector}. */
export const connectorNames = ['auto', 'map', 'pooled', 'linear', 'mlp', 'identity'] as const;
/** One of {@link connectorNames}. */
export type ConnectorName = (typeof connectorNames)[number];

/**
 * Creates a connector from a student to a feature of `teacherChannels`. `auto` is the authors' `map` if the student's
 * pooled feature is the average of its last map, else `pooled` (transformers, heads with hidden layers). Throws
 * ConfigError for `map` without a map, for `identity` between different widths, and for unknown names.
 */
export function createConnector(name: ConnectorName, student: FeatureShapes, teacherChannels: number): Connector {
  checkCall('createConnector', ['name', 'student', 'teacherChannels'], undefined, arguments);
  const { pooled, map, pooledIsMeanOfMap } = student;
  switch (name) {
    case 'auto':
      return createConnector(pooledIsMeanOfMap ? 'map' : 'pooled', student, teacherChannels);
    case 'map':
      if (!map) throw new ConfigError('The map connector needs a student with a last map; use --connector pooled.');
      return new MapConnector(map[0] as number, teacherChannels);
    case 'pooled':
      return new PooledConnector(pooled, teacherChannels);
    case 'linear':
      return new LinearConnector(pooled, teacherChannels);
    case 'mlp':
      return new MLPConnector(pooled, teacherChannels);
    case 'identity':
      if (pooled !== teacherChannels) {
        throw new ConfigError(
          `The identity connector needs equal widths: the student's feature has ${pooled}, the teacher's ${teacherChannels}.`,
        );
      }
      return new IdentityConnector();
    default:
      throw new ConfigError(`There is no connector '${name}'; there are ${connectorNames.join(', ')}.`);
  }
}
