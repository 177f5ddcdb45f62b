/** Fits text to terminals of any width by wrapping or another layout; nothing is cut off. */
import Table from 'cli-table3';
import stringWidth from 'string-width';

/** Returns the width of a stream in columns: the terminal's, or else that in COLUMNS, or infinity. */
export function widthOf(stream: { isTTY?: boolean; columns?: number } = process.stdout): number {
  const columns = stream.isTTY ? stream.columns : undefined;
  return columns || Number(process.env.COLUMNS) || Number.POSITIVE_INFINITY;
}

/**
 * Breaks lines that are longer than `width`: between parts that two spaces separate, and within a part only where it
 * is longer than a line. A longer word stays whole; the terminal breaks it. Further lines begin with `indent`.
 */
export function wrap(text: string, width = widthOf(), indent = '  '): string {
  return text
    .split('\n')
    .map((line) => (stringWidth(line) <= width ? line : wrapLine(line, width, indent)))
    .join('\n');
}

function wrapLine(line: string, width: number, indent: string): string {
  const lines: string[] = [];
  const lead = /^ */.exec(line)?.[0] ?? '';
  let current = lead;
  let isEmpty = true;
  const add = (piece: string, gap: string) => {
    const longer = isEmpty ? current + piece : current + gap + piece;
    if (isEmpty || stringWidth(longer) <= width) current = longer;
    else {
      lines.push(current);
      current = lead + indent + piece;
    }
    isEmpty = false;
  };
  for (const part of line.slice(lead.length).split(/ {2,}/)) {
    if (stringWidth(lead + indent + part) <= width) add(part, '  ');
    else for (const [i, word] of part.split(' ').entries()) add(word, i === 0 ? '  ' : ' ');
  }
  return [...lines, current].join('\n');
}

/**
 * Formats names and values in two columns. A value with a word wider than its column goes below its name; if that
 * applies to most values, all of them do.
 */
export function pairs(rows: readonly (readonly [name: string, value: string])[], width = widthOf(), lead = ''): string {
  const column = Math.max(0, ...rows.map(([name]) => stringWidth(name))) + 2;
  const room = width - lead.length - column;
  const fits = (value: string) => value.split(/\s+/).every((word) => stringWidth(word) <= room);
  const few = rows.filter(([, value]) => fits(value)).length * 2 < rows.length;
  const lines = rows.map(([name, value]) => {
    if (!few && fits(value) && room >= 12) {
      const padded = name + ' '.repeat(column - stringWidth(name));
      const text = wrap(value, room, '').replaceAll('\n', `\n${lead}${' '.repeat(column)}`);
      return `${lead}${padded}${text}`.trimEnd();
    }
    return value === ''
      ? `${lead}${name}`
      : wrap(`${lead}${name}\n${value}`.replaceAll('\n', `\n${lead}  `), width, '');
  });
  return lines.join('\n');
}

/** Formats a table with a header; if it is wider than `width`, a block per row that names the column of each cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], width = widthOf()): string {
  const drawn = new Table({ head: [...head], style: { head: [], border: [] } });
  drawn.push(...rows.map((row) => [...row]));
  const text = drawn.toString();
  if (text.split('\n').every((line) => stringWidth(line) <= width)) return text;
  const [first = '', ...others] = head;
  const blocks = rows.map(([title = '', ...cells]) => {
    const named = cells.flatMap((cell, i) => (cell === '' ? [] : [[others[i] || 'value', cell] as const]));
    return [wrap(title, width), pairs(named, width, '  ')].filter((part) => part !== '').join('\n');
  });
  return [...(first === '' ? [] : [wrap(`${first}:`, width)]), ...blocks].join('\n');
}
