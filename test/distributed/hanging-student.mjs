// A resnet8 whose forward ends no more on the last rank once the file SRRL_HANG is there: --student module:THIS
import { existsSync } from 'node:fs';
import { models } from 'srrl';

export default (setting) => {
  const network = models.create('resnet8', setting);
  const isLast = Number(process.env.RANK) === Number(process.env.WORLD_SIZE) - 1;
  const forward = network.forwardFeatures;
  network.forwardFeatures = (images) => {
    while (isLast && existsSync(process.env.SRRL_HANG ?? ''));
    return forward.call(network, images);
  };
  return network;
};
