/** The scripts that draw charts in the browser: uPlot, and the code that calls it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const folder = join(createRequire(import.meta.url).resolve('uplot'), '..');

/** Returns uPlot with its license notice, which every copy must include. */
export function chartLibrary(): { script: string; style: string } {
  const { version } = JSON.parse(readFileSync(join(folder, '..', 'package.json'), 'utf8')) as { version: string };
  const license = readFileSync(join(folder, '..', 'LICENSE'), 'utf8').trim();
  const script = readFileSync(join(folder, 'uPlot.iife.min.js'), 'utf8').replace(/^\/\*!.*?\*\/\n?/, '');
  return {
    script: `/*! uPlot ${version}\n\n${license}\n*/\n${script}`,
    style: readFileSync(join(folder, 'uPlot.min.css'), 'utf8'),
  };
}

/**
 * Defines drawCharts(charts): fills the element `charts`; later calls update it. Colors come from
 * the style sheet, so that they follow light and dark mode; printed pages are always light.
 */
export const chartScript = `
const drawn = [];
const paper = matchMedia('print');
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const seriesColor = (index) => color('--line-' + (index % 8));
const valueText = (value) => (value == null ? '-' : String(Number(value.toPrecision(5))));

const wholeSteps = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((ten) => [ten, 2 * ten, 5 * ten]);

function optionsOf(chart, width) {
  const axis = { stroke: () => color('--text'), grid: { stroke: () => color('--rule'), width: 1 }, ticks: { stroke: () => color('--rule'), width: 1 } };
  const wholes = (self, splits) => splits.map((value) => (Number.isInteger(value) ? value : ''));
  return {
    title: chart.title,
    width,
    height: 240,
    scales: { x: { time: false } },
    axes: [{ ...axis, values: wholes, incrs: wholeSteps }, { ...axis, size: 64 }],
    series: [
      { label: chart.unit ?? 'epoch' },
      ...chart.series.map(({ label, isReference }, index) => ({
        label,
        stroke: () => (isReference ? color('--quiet') : seriesColor(index)),
        width: 2,
        // Epochs that were not evaluated lie between those that were.
        spanGaps: true,
        dash: index < 8 && !isReference ? [] : [6, 4],
        points: { show: chart.x.length < 40 && !isReference },
        value: (self, value) => valueText(value),
      })),
    ],
  };
}

function widthOf(place) {
  return paper.matches || document.documentElement.dataset.paper ? 330 : Math.max(place.clientWidth, 240);
}

function drawCharts(charts) {
  const root = document.getElementById('charts');
  charts.forEach((chart, index) => {
    const data = [chart.x, ...chart.series.map(({ values }) => values)];
    const names = JSON.stringify([chart.title, chart.series.map(({ label }) => label), chart.x.length < 40]);
    const known = drawn[index];
    if (known && known.names === names) return known.plot.setData(data);
    known?.plot.destroy();
    const place = known ? known.place : root.appendChild(document.createElement('figure'));
    place.replaceChildren();
    place.setAttribute('aria-label', chart.title + ': ' + chart.series.map(({ label }) => label).join(', '));
    drawn[index] = { names, place, chart, plot: new uPlot(optionsOf(chart, widthOf(place)), data, place) };
  });

  for (const { place, plot } of drawn.splice(charts.length)) {
    plot.destroy();
    place.remove();
  }
}

function redraw() {
  for (const { plot, place, chart } of drawn) {
    plot.setSize({ width: widthOf(place), height: 240 });
    plot.root.querySelectorAll('.u-series:not(:first-child) .u-marker').forEach((marker, index) => {
      marker.style.borderColor = chart.series[index]?.isReference ? color('--quiet') : seriesColor(index);
    });
    plot.redraw();
  }
}

addEventListener('resize', redraw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
addEventListener('beforeprint', () => { document.documentElement.dataset.paper = 'yes'; redraw(); });
addEventListener('afterprint', () => { delete document.documentElement.dataset.paper; redraw(); });
`;
