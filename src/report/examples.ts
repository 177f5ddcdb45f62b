/** Example images by class, with the predictions of student and teacher. */
import { html, type Markup } from './markup.js';
import { scrollable } from './page.js';
import type { ClassAnalysis, Example, RunAnalysis } from './run-analysis.js';
import { percent } from './terminal.js';

/**
 * Returns a table with a row per class: images that the student classifies wrongly and correctly. Undefined if none
 * were recorded.
 */
export function exampleTable(list: readonly ClassAnalysis[], analysis: RunAnalysis, id: string): Markup | undefined {
  const rows = list.map((one) => {
    const label = analysis.classes.indexOf(one);
    return { one, examples: analysis.examples.filter((example) => example.label === label) };
  });
  if (rows.every(({ examples }) => examples.length === 0)) return undefined;
  const nameOf = (index: number) => analysis.classes[index]?.name ?? '';
  const cell = (examples: Example[]) =>
    html`<td><div class="pictures">${examples.map((example) => figure(example, nameOf))}</div></td>`;
  const table = html`<table id="${id}" class="examples">
<thead><tr><th>class</th><th>taken for others</th><th>recognized</th></tr></thead>
<tbody>${rows.map(
    ({ one, examples }) =>
      html`<tr><th scope="row">${one.name}<br><span class="quiet">${
        one.studentAccuracy === null ? '-' : percent(100 * one.studentAccuracy)
      }</span></th>${cell(examples.filter((example) => !isRight(example)))}${cell(examples.filter(isRight))}</tr>\n`,
  )}</tbody></table>`;
  return scrollable(table, id);
}

const isRight = ({ label, student }: Example): boolean => student.predicted === label;

function figure({ label, student, teacher, image }: Example, nameOf: (index: number) => string): Markup {
  const line = (who: string, { predicted, confidence }: Example['student']) =>
    html`<br><span class="quiet">${who}</span> <span class="${predicted === label ? '' : 'wrong'}">${nameOf(predicted)}</span> ${(100 * confidence).toFixed(0)} %`;
  const alt = `${nameOf(label)}, taken for ${nameOf(student.predicted)}`;
  return html`<figure><img src="${image}" alt="${alt}"><figcaption><span class="quiet">is</span> ${nameOf(label)}${line('student', student)}${line('teacher', teacher)}</figcaption></figure>`;
}
