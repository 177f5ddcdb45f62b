/** Runs a student exported as TorchScript, with its card in the archive. */
import { parseCard } from '../distill/student-card.js';
import { FileError } from '../errors.js';
import { readingAsync } from '../files/errors.js';
import { Input } from '../files/input.js';
import { ZipReader } from '../files/zip-reader.js';
import { srrlCommand } from '../shell.js';
import { noGrad, ScriptModule, Tensor } from '../tensor/index.js';
import { readyCard } from './card.js';
import type { Runtime, RuntimeOptions } from './runtime.js';

/** The card's name in the archive: the extra file `srrl.json` of torch.jit.save. */
const cardName = 'extra/srrl.json';

export async function openScript(file: string, { device, data }: RuntimeOptions): Promise<Runtime> {
  const text = await cardText(file);
  if (text === undefined)
    throw new FileError(
      `${file} is a TorchScript file without ${cardName}, which says what its classes are and how it sees images. Export it again: ${srrlCommand('export', 'RUN', '--out', file)}`,
    );
  const card = await readyCard(file, parseCard(file, text), data);
  const { takes, precision } = card as { takes?: unknown; precision?: unknown };
  if (typeof takes === 'string' && takes.startsWith('uint8'))
    throw new FileError(
      `${file} normalizes images itself and returns probabilities: run it with any TorchScript runtime, or export it without --with-preprocessing.`,
    );
  const module = ScriptModule.load(file, { device, keepPrecision: precision === 'float16' });
  const run = (images: Tensor): Tensor => {
    const output = noGrad(() => module.forward(images));
    if (output instanceof Tensor) return output;
    throw new FileError(`${file} returns ${output === null ? 'nothing' : 'a tuple'}, not the logits of a classifier.`);
  };
  return { file, card, device, run, dispose: () => module.dispose() };
}

/** Reads the text of the card in an archive; undefined if there is none. */
function cardText(file: string): Promise<string | undefined> {
  return readingAsync(file, async () => {
    const input = new Input(file);
    try {
      const archive = await ZipReader.open(input);
      const name = archive.names.find((entry) => entry.endsWith(`/${cardName}`));
      return name === undefined ? undefined : (await archive.read(name)).toString('utf8');
    } finally {
      input.close();
    }
  });
}
