/** The worker thread of a classifier: holds the network and answers requests. */
import { parentPort, workerData } from 'node:worker_threads';
import { deviceNamed } from '../tensor/index.js';
import { packed } from '../train/packed-error.js';
import { Engine } from './engine.js';
import type { SentImage } from './image-input.js';
import { openRuntime, type RuntimeOptions } from './runtime.js';
import type { Answer, Request, ThreadTask } from './thread.js';

const say = (answer: Answer) => parentPort?.postMessage(answer);

async function open({ source, options }: ThreadTask): Promise<Engine> {
  const { device, model, data, ...rest } = options;
  const given: RuntimeOptions = {
    device: deviceNamed(device),
    ...(model !== undefined && { model }),
    ...(data !== undefined && { data }),
  };
  return new Engine(await openRuntime(source, given), rest);
}

async function answer(engine: Engine, id: number, image: SentImage): Promise<void> {
  try {
    say({ type: 'predicted', id, predictions: await engine.predict(image) });
  } catch (error) {
    say({ type: 'failed', id, error: packed(error) });
  }
}

try {
  const engine = await open(workerData as ThreadTask);
  const underWay = new Set<Promise<void>>();
  parentPort?.on('message', async (request: Request) => {
    if (request.type === 'predict') {
      const answering = answer(engine, request.id, request.image);
      underWay.add(answering);
      await answering;
      underWay.delete(answering);
    } else {
      await Promise.all(underWay);
      engine.dispose();
      parentPort?.close();
    }
  });
  say({ type: 'ready', card: engine.runtime.card });
} catch (error) {
  say({ type: 'refused', error: packed(error) });
}
