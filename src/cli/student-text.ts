/** Formats the card of a student as text. */
import type { StudentCard } from '../distill/saved-student.js';
import { printableName } from '../printable.js';
import { pairs } from '../report/layout.js';
import { accuracyText } from '../report/terminal.js';

const mostNames = 12;

/** Returns one line per known field; fields that older files lack are left out. */
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
    ['method', method && methodLine(method)],
    ['teacher', teacher?.source],
    ['SHA-256 of the teacher', teacher?.sha256],
    ['data', card.data],
    ['SHA-256 of the data', card.dataSha256],
    ['command', card.command],
    ['srrl', card.version && [card.version, card.commit].filter(Boolean).join(', commit ')],
    ['date', card.date],
  ];
  const known = rows.filter(([, value]) => value !== undefined);
  return pairs(known.map(([name, value]) => [name, printableName(String(value))] as const));
}

const methodLine = ({ name, options }: NonNullable<StudentCard['method']>): string =>
  [name, ...Object.entries(options).map(([option, value]) => `${option}=${textOf(value)}`)].join(' ');

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const shortened = (names: readonly string[]): string =>
  names.length <= mostNames ? names.join(', ') : `${names.slice(0, mostNames).join(', ')}, ...`;
