/**
 * Sorts the rows of tables with the class `sortable` by the column of the pressed button, and adds a text filter to
 * long ones.
 */
export const tableScript = `
const units = { s: 1, min: 60, h: 3600 };
function sortKey(text) {
  const parts = [...text.matchAll(/([\\d.]+) (s|min|h)\\b/g)];
  if (parts.length > 0) return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit], 0);
  const number = Number.parseFloat(text.replaceAll(',', '').replace('−', '-'));
  return Number.isNaN(number) ? text : number;
}
function compareKeys(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return typeof a === typeof b ? a.localeCompare(b) : typeof a === 'number' ? -1 : 1;
}
for (const table of document.querySelectorAll('table.sortable')) {
  table.tHead.querySelectorAll('button').forEach((button, column) => {
    const head = button.parentElement;
    button.addEventListener('click', () => {
      const direction = head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
      for (const other of table.tHead.querySelectorAll('th')) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', direction);
      const sign = direction === 'ascending' ? 1 : -1;
      const rows = [...table.tBodies[0].rows].map((row) => [row, sortKey(row.cells[column].textContent)]);
      rows.sort(([, a], [, b]) => sign * compareKeys(a, b));
      table.tBodies[0].append(...rows.map(([row]) => row));
    });
  });
  if (table.tBodies[0].rows.length > 20) addFilter(table);
}
function addFilter(table) {
  const all = table.tBodies[0].rows.length;
  const field = Object.assign(document.createElement('input'), { type: 'search' });
  const count = Object.assign(document.createElement('output'), { textContent: all + ' rows' });
  const label = document.createElement('label');
  label.className = 'filter';
  label.append('Show rows with ', field, ' ', count);
  table.parentElement.before(label);
  field.addEventListener('input', () => {
    const words = field.value.toLowerCase().split(' ').filter((word) => word !== '');
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const cells = [...row.cells].map((cell) => cell.textContent.toLowerCase());
      row.hidden = !words.every((word) => cells.some((cell) => cell.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = shown + ' of ' + all + ' rows';
  });
}
`;
