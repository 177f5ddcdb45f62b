/** Sorts the rows of tables with the class `sortable` by the column whose button is pressed. */
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
}
`;
