import { html } from './markup.js';
import { page } from './page.js';

const script = `
const element = (id) => document.getElementById(id);
const source = new EventSource('events');
source.addEventListener('open', () => { element('connection').textContent = 'connected'; });
source.addEventListener('error', () => { element('connection').textContent = 'no connection; what is shown is the last that was heard'; });
source.addEventListener('step', ({ data }) => {
  const { step, steps, epoch, epochs } = JSON.parse(data);
  element('step').textContent = 'step ' + step + ' of ' + steps + ', epoch ' + epoch + ' of ' + epochs;
  element('progress').hidden = false;
  element('progress').max = steps;
  element('progress').value = step;
});
source.addEventListener('state', ({ data }) => {
  const state = JSON.parse(data);
  document.title = state.name + ' - srrl';
  element('name').textContent = state.name;
  element('headline').textContent = state.headline;
  element('problem').textContent = state.problem ?? '';
  if (state.ended) { element('step').textContent = ''; element('progress').hidden = true; }
  element('results').replaceChildren(...state.results.map((cells) => {
    const row = document.createElement('tr');
    row.append(...cells.map((text) => Object.assign(document.createElement('td'), { textContent: text })));
    return row;
  }));
  drawCharts(state.charts);
});
`;

/** The page of serveLive; what it shows comes as server-sent events, `state` and `step`. */
export function livePage(): string {
  const body = html`<h1 id="name">run</h1>
<p class="quiet" id="headline"></p>
<p><progress id="progress" value="0" hidden></progress> <span id="step"></span></p>
<p id="problem" role="alert"></p>
<section><h2>Results</h2><table><tbody id="results"></tbody></table></section>
<section><h2>Curves</h2><div id="charts"></div></section>
<p class="quiet" id="connection" role="status">connecting</p>`;
  return page({ title: 'srrl', body, data: null, script, connects: true });
}
