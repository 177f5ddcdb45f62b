/** The network thread: downloads continue while the main thread is in the middle of a step. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../errors.js';
import type { RemoteSettings } from './options.js';
import { RemoteReader } from './reader.js';
import type { Ask, Reply } from './remote-files.js';

const readers = new Map<string, RemoteReader>();

function readerWith(settings: RemoteSettings): RemoteReader {
  const key = JSON.stringify(settings);
  const reader = readers.get(key) ?? new RemoteReader(settings);
  readers.set(key, reader);
  return reader;
}

async function answer({
  id,
  settings,
  call,
  address,
  file,
  begin = 0,
  length = 0,
  urgency = 'idle',
}: Ask): Promise<void> {
  const reply = (message: Reply, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);
  try {
    const reader = readerWith(settings);
    if (call === 'open') return reply({ id, value: await reader.open(address) });
    if (call === 'openIfThere') return reply({ id, value: await reader.openIfThere(address) });
    if (!file) throw new Error('no file');
    if (call === 'fill') return reply({ id, value: await reader.fill(address, file, urgency) });
    const bytes = await reader.read(address, file, begin, length);
    reply({ id, value: bytes }, [bytes.buffer as ArrayBuffer]);
  } catch (error) {
    reply({ id, error: messageOf(error) });
  }
}

parentPort?.on('message', (ask: Ask) => void answer(ask));
