/** Charts of accuracy against a cost, drawn without scripts. */
import { html, type Markup } from './markup.js';

/** A point of the chart. */
export interface ParetoPoint {
  label: string;
  /** Percent. */
  accuracy: number;
  cost: number;
}

export interface ParetoAxis {
  title: string;
  /** Whether more is better, as for images/s but not for parameters. */
  moreIsBetter: boolean;
}

const [width, height] = [480, 320];
const edge = { left: 48, right: 20, top: 16, bottom: 40 };

/** Returns the points that no other point beats in accuracy and cost; the cheapest first. */
export function paretoFront(points: readonly ParetoPoint[], { moreIsBetter }: ParetoAxis): ParetoPoint[] {
  const cost = (point: ParetoPoint) => (moreIsBetter ? -point.cost : point.cost);
  const sorted = [...points].sort((a, b) => cost(a) - cost(b) || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return sorted.filter(({ accuracy }) => {
    if (accuracy <= best) return false;
    best = accuracy;
    return true;
  });
}

/** Draws a labeled dot per point and a line through the Pareto front; undefined for fewer than two costs. */
export function paretoChart(points: readonly ParetoPoint[], axis: ParetoAxis): Markup | undefined {
  if (new Set(points.map(({ cost }) => cost)).size < 2) return undefined;
  const front = paretoFront(points, axis);
  // The axis is logarithmic because costs range over orders of magnitude.
  const x = scale(
    points.map(({ cost }) => Math.log10(cost)),
    [edge.left, width - edge.right],
  );
  const y = scale(
    points.map(({ accuracy }) => accuracy),
    [height - edge.bottom, edge.top],
  );
  const at = ({ cost, accuracy }: ParetoPoint) => [round(x(Math.log10(cost))), round(y(accuracy))] as const;
  const line = [...front].sort((a, b) => a.cost - b.cost).map((point) => at(point).join());
  const summary = front.map(({ label }) => label).join(', ');
  return html`<figure><figcaption>Accuracy against ${axis.title}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Accuracy against ${axis.title}; Pareto front: ${summary}">
${axes(points, axis, at)}
<polyline class="front" points="${line.join(' ')}"/>
${points.map((point) => dot(point, at(point), { best: front.includes(point), many: points.length > mostLabels }))}
</svg></figure>`;
}

/** With more points, only those of the front have a label; the others show theirs on hover. */
const mostLabels = 12;

function dot(
  { label, accuracy, cost }: ParetoPoint,
  [x, y]: readonly [number, number],
  { best, many }: { best: boolean; many: boolean },
): Markup {
  const end = x > width / 2;
  const text = many && !best ? undefined : svgText([end ? x - 8 : x + 8, y + 4], end ? 'end' : 'start', label);
  const tip = `${label}: ${accuracy.toFixed(2)} %, ${cost.toLocaleString('en', { maximumFractionDigits: 0 })}`;
  const circle = html`<circle class="${best ? 'point' : 'dominated'}" cx="${x}" cy="${y}" r="4"/>`;
  return html`<g><title>${tip}</title>${circle}${text}</g>`;
}

const svgText = ([x, y]: readonly [number, number], anchor: 'start' | 'middle' | 'end', text: string): Markup =>
  html`<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;

function axes(
  points: readonly ParetoPoint[],
  { title }: ParetoAxis,
  at: (point: ParetoPoint) => readonly [number, number],
): Markup {
  const costs = points.map(({ cost }) => cost);
  const accuracies = points.map(({ accuracy }) => accuracy);
  const [cheap, dear] = [Math.min(...costs), Math.max(...costs)];
  const [low, high] = [Math.min(...accuracies), Math.max(...accuracies)];
  const bottom = height - edge.bottom;
  const [left, right] = [edge.left, width - edge.right];
  const number = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 3 });
  const tick = (cost: number, anchor: 'start' | 'end') =>
    svgText([at({ label: '', accuracy: low, cost })[0], bottom + 16], anchor, number(cost));
  const level = (accuracy: number) =>
    svgText([left - 6, at({ label: '', accuracy, cost: cheap })[1] + 4], 'end', accuracy.toFixed(1));
  return html`<path class="axis" fill="none" d="M${left} ${edge.top}V${bottom}H${right}"/>
${tick(cheap, 'start')}${tick(dear, 'end')}${level(low)}${high > low ? level(high) : undefined}
${svgText([(left + right) / 2, height - 6], 'middle', title)}`;
}

/** Returns a map of the range of the values, plus a tenth at each end, to [from, to]. */
function scale(values: readonly number[], [from, to]: [number, number]): (value: number) => number {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low) * 0.1 || 1;
  return (value) => from + ((value - low + margin) / (high - low + 2 * margin)) * (to - from);
}

const round = (value: number): number => Math.round(value * 10) / 10;
