/** The style sheet of all pages: light and dark, narrow and wide, screen and paper. */
export const style = `
:root { color-scheme: light dark; --paper: #fff; --text: #1c1e21; --quiet: #5c6370; --rule: #d8dbe0;
  --mark: 0 114 178; --wrong: #b34700;
  --line-0: #0072b2; --line-1: #d55e00; --line-2: #009e73; --line-3: #b5488d; --line-4: #946c00; --line-5: #3b93c4;
  --line-6: #4b4f58; --line-7: #8f3b1b; }
@media (prefers-color-scheme: dark) { :root:not([data-paper]) { --paper: #16181c; --text: #e4e6ea; --quiet: #9aa1ad;
  --rule: #363a42; --mark: 86 180 233; --wrong: #ff8a3d; --line-0: #56b4e9; --line-1: #ff8a3d; --line-2: #2bc79a;
  --line-3: #e58cc2;
  --line-4: #f0c24b; --line-5: #8cc7ee; --line-6: #b9bec8; --line-7: #d9825f; } }
:root[data-paper] { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--text); margin: 0 auto;
  padding: 1.5rem;
  max-width: 2000px; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p { max-width: 80ch; overflow-wrap: break-word; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.quiet { color: var(--quiet); font-weight: normal; }
.wide { overflow-x: auto; max-width: 100%; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
td { max-width: 60ch; min-width: 3rem; }
td.number, th.number { text-align: right; white-space: nowrap; } td.short { white-space: nowrap; }
/* Two spaces of a path stay two when a command is copied. */
#provenance td, #config td { white-space: pre-wrap; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: inherit; }
th button::after { content: ' \\2195'; color: var(--quiet); }
th[aria-sort=ascending] button::after { content: ' \\2191'; }
  th[aria-sort=descending] button::after { content: ' \\2193'; }
.sortable th { white-space: nowrap; }
.filter { display: block; margin-bottom: .5rem; } .filter input { font: inherit; max-width: 100%; }
tr[hidden] { display: none !important; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1.5rem 0; }
.figures dd { margin: 0; } .figures .value { font-size: 1.9rem; font-weight: 600; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; } .tables > div { min-width: 0; max-width: 100%; }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 1rem; }
#charts figure { margin: 0; min-width: 0; break-inside: avoid; }
#charts .u-title { font-size: 1rem; } #charts .u-legend { font-size: .85rem; }
.pareto { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } .pareto figure { margin: 0; flex: 1 1 320px;
  max-width: 640px; min-width: 0; }
.pareto svg { width: 100%; height: auto; } .pareto text { fill: var(--text); font-size: 11px; }
  .pareto .axis { stroke: var(--rule); }
.pareto .front { stroke: var(--line-0); fill: none; stroke-dasharray: 4 3; } .pareto .point { fill: var(--line-0); }
.pareto .dominated { fill: var(--quiet); }
.notice { border-left: 4px solid var(--wrong); padding: .3rem .8rem; }
progress { width: min(100%, 30rem); }
.examples td, .examples th { vertical-align: top; } .examples tbody th { min-width: 5.5rem; max-width: 9rem; }
.pictures { display: flex; gap: .6rem; } .pictures figure { margin: 0; width: 9rem; flex: none; break-inside: avoid; }
.pictures img { display: block; width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; }
.pictures figcaption { margin-top: .2rem; font-size: .75rem; line-height: 1.35; overflow-wrap: anywhere; }
.wrong { color: var(--wrong); font-weight: bold; }
.confusion td { padding: 0; border: 0; min-width: 7px; height: 7px; text-align: center; font-size: .8rem;
  background: rgb(var(--mark) / var(--share, 0)); print-color-adjust: exact; }
.confusion.named td { min-width: 2.2rem; height: 1.6rem; vertical-align: middle; }
  .confusion td.full { color: var(--paper); }
.confusion th { border: 0; font-weight: normal; font-size: .8rem; }
.confusion thead th { writing-mode: vertical-rl; padding: .5rem 0; }
@media screen and (max-width: 640px) {
  body { padding: 1rem; }
  .figures { gap: 1rem 2rem; }
  table.cards, .cards tbody, .cards tr, .cards td { display: block; max-width: 100%; }
  .cards thead { display: none; }
  .cards tr { border: 1px solid var(--rule); border-radius: 4px; margin: .6rem 0; padding: .3rem 0; }
  .cards td, .cards td.number, .cards td.short { border: 0; text-align: left; white-space: normal; display: grid;
  grid-template-columns: 8.5rem 1fr; gap: .5rem; }
  .cards td::before { content: attr(data-label); color: var(--quiet); }
}
@media print { body { max-width: none; padding: 0; font-size: 12px; } .wide { overflow: visible; }
  .pictures { flex-wrap: wrap; } #charts { grid-template-columns: repeat(2, 1fr); } tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  .downloads { display: none; } }
`;
