import { ConfigError } from '../errors.js';
import type { StudentForward } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, init, Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** r(.): takes the student's feature to the teacher's width, [N, C_S(, H, W)] -> [N, C_T]. Trained with the student, and never exported. */
export abstract class Connector extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(
    readonly studentChannels: number,
    readonly teacherChannels: number,
  ) {
    super();
    this.conv = new Conv2d(studentChannels, teacherChannels, 1, { bias: false });
    this.bn = new BatchNorm2d(teacherChannels);
  }

  /** 1x1 convolution, batch normalization, ReLU; a ReLU because the teacher's feature usually comes from one. */
  protected transform(x: Tensor): Tensor {
    return F.relu(this.bn.forward(this.conv.forward(x)));
  }

  abstract override forward(student: StudentForward): Tensor;
}

/** As in the authors' code: transforms the last map and averages afterwards. Also where the widths are equal. */
export class MapConnector extends Connector {
  constructor(studentChannels: number, teacherChannels: number) {
    super(studentChannels, teacherChannels);
    init.normal_(this.conv.weight, 0, Math.sqrt(2 / teacherChannels));
  }

  override forward({ map }: StudentForward): Tensor {
    return F.globalAvgPool(this.transform(map));
  }
}

/** As in SimKD's benchmark code: transforms the averaged feature. Another function than {@link MapConnector}, for students without a map. */
export class PooledConnector extends Connector {
  override forward({ pooled }: StudentForward): Tensor {
    return this.transform(pooled.unsqueeze(2).unsqueeze(3)).flatten(1);
  }
}

const connectors = { map: MapConnector, pooled: PooledConnector };

export type ConnectorName = keyof typeof connectors;
export const connectorNames = Object.keys(connectors) as [ConnectorName, ...ConnectorName[]];

export function createConnector(name: ConnectorName, studentChannels: number, teacherChannels: number): Connector {
  const Chosen = connectors[name];
  if (!Chosen) throw new ConfigError(`There is no connector '${name}'; there are ${connectorNames.join(', ')}.`);
  return new Chosen(studentChannels, teacherChannels);
}
