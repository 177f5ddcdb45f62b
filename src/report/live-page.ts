import { html } from './markup.js';
import { page } from './page.js';

const script = `
const element = (id) => document.getElementById(id);
const source = new EventSource('events');
source.addEventListener('open', () => { element('connection').textContent = 'connected'; });
source.addEventListener('error', () => { element('connection').textContent = 'no connection; what is shown is the last that was heard'; });
let ofEpochs = [];
let ofSteps = [];
const draw = () => drawCharts([...ofEpochs, ...ofSteps]);
const part = (name, text, kind = '') =>
  Object.assign(document.createElement(name), { textContent: text, className: kind });
source.addEventListener('step', ({ data }) => {
  const { step, steps, text } = JSON.parse(data);
  element('step').textContent = text;
  element('stall').hidden = true;
  element('progress').hidden = false;
  element('progress').max = steps;
  element('progress').value = step;
});
source.addEventListener('steps', ({ data }) => { ofSteps = JSON.parse(data); draw(); });
source.addEventListener('stall', ({ data }) => {
  element('stall').textContent = JSON.parse(data);
  element('stall').hidden = false;
});
source.addEventListener('state', ({ data }) => {
  const state = JSON.parse(data);
  document.title = state.name + ' - srrl';
  element('name').textContent = state.name;
  element('headline').textContent = state.headline;
  element('problem').textContent = state.problem ?? '';
  element('problem').hidden = !state.problem;
  if (state.progress && element('progress').hidden) element('step').textContent = state.progress;
  if (state.ended) {
    element('step').textContent = '';
    for (const id of ['progress', 'stall']) element(id).hidden = true;
  }
  element('figures').replaceChildren(...state.figures.map(({ label, value, note }) => {
    const entry = document.createElement('div');
    entry.append(part('dt', label), part('dd', value, 'value'), part('dd', note, 'quiet'));
    return entry;
  }));
  element('results').replaceChildren(...state.results.map((cells) => {
    const row = document.createElement('tr');
    row.append(...cells.map((text) => part('td', text)));
    return row;
  }));
  ofEpochs = state.charts;
  draw();
});
`;

/** The page of serveLive, updated by the server-sent events `state`, `step`, `steps` and `stall`. */
export function livePage(): string {
  const body = html`<h1 id="name">run</h1>
<p class="quiet" id="headline"></p>
<p><progress id="progress" value="0" aria-label="steps done" hidden></progress> <span id="step"></span></p>
<p id="stall" class="notice" role="status" hidden></p>
<p id="problem" class="notice" role="alert" hidden></p>
<dl class="figures" id="figures"></dl>
<section><h2>Curves</h2><div id="charts"></div></section>
<section><h2>Results</h2><table><tbody id="results"></tbody></table></section>
<p class="quiet" id="connection" role="status">connecting</p>`;
  return page({ title: 'srrl', body, data: null, script, connects: true });
}
