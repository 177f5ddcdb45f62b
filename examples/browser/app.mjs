/** The page: loads a folder of `srrl export RUN --out student/`, and classifies the image that is chosen. */
import { loadStudent } from './student.mjs';

const find = (id) => document.getElementById(id);

try {
  const student = await loadStudent(new URL('student/', import.meta.url));
  find('student').textContent =
    `${student.architecture}, ${student.classes.length} classes; images stay on this device`;
  find('file').disabled = false;
  find('file').addEventListener('change', ({ target }) => show(student, target.files[0]));
} catch (error) {
  find('message').textContent = `The student cannot be loaded: ${error.message}`;
}

async function show(student, file) {
  if (!file) return;
  find('shown').src = URL.createObjectURL(file);
  find('shown').hidden = false;
  find('message').textContent = '';
  find('predictions').replaceChildren();
  try {
    const start = performance.now();
    const predictions = await student.classify(file);
    for (const { label, probability } of predictions.slice(0, 5)) {
      const row = find('predictions').insertRow();
      row.insertCell().textContent = label;
      row.insertCell().textContent = `${(100 * probability).toFixed(1)} %`;
    }
    find('student').textContent = `${student.architecture}: ${(performance.now() - start).toFixed(0)} ms`;
  } catch (error) {
    find('message').textContent = `${file.name} cannot be classified: ${error.message}`;
  }
}
