/** What the file of a student says of it, for people. */
import type { StudentCard } from '../distill/saved-student.js';
import { printableName } from '../printable.js';
import { accuracyText } from '../report/terminal.js';

const mostNames = 12;

/** A line for everything that is known; what older files do not say is left out. */
export function studentText(file: string, card: StudentCard): string {
  const { numClasses, classes, module, object, projected, preprocessing, method, teacher, accuracy } = card;
  const rows: [string, string | number | undefined][] = [
    ['file', file],
    ['model', card.model],
    [
      'made by',
      module ? `export '${module.export}' of ${module.file}` : object ? 'an object of the program' : undefined,
    ],
    ['predicts through', projected && `projector (factor ${projected.factor}) and the teacher's classifier`],
    ['classes', classes ? `${numClasses}: ${shortened(classes)}` : numClasses],
    ['images', card.input ? card.input.join(' x ') : `${card.inChannels} channels`],
    ['resized to cover', preprocessing?.resize.join(' x ')],
    ['cropped to', preprocessing?.crop.join(' x ')],
    ['mean', (preprocessing?.mean ?? card.mean)?.join(', ')],
    ['std', (preprocessing?.std ?? card.std)?.join(', ')],
    ['accuracy', accuracy && `${accuracyText(accuracy)}, split ${accuracy.split}`],
    ['epoch', card.epoch],
    ['method', method && `${method.name} ${JSON.stringify(method.options)}`],
    ['teacher', teacher?.source],
    ['SHA-256 of the teacher', teacher?.sha256],
    ['data', card.data],
    ['SHA-256 of the data', card.dataSha256],
    ['command', card.command],
    ['srrl', card.version && [card.version, card.commit].filter(Boolean).join(', commit ')],
    ['date', card.date],
  ];
  const known = rows.filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${printableName(String(value))}`).join('\n');
}

const shortened = (names: readonly string[]): string =>
  names.length <= mostNames ? names.join(', ') : `${names.slice(0, mostNames).join(', ')}, ...`;
