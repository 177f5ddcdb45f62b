import { statSync } from 'node:fs';
import { archiveKind, oldProgram } from '../../distill/exported/archive.js';
import { readStudentCard, studentFileIn } from '../../distill/saved-student.js';
import { inspectExported, inspectScript } from '../../distill/script-teacher.js';
import { FileError, TeacherError } from '../../errors.js';
import { z } from '../../options.js';
import { printableName } from '../../printable.js';
import { table } from '../../report/terminal.js';
import { defineCommand } from '../command.js';
import { inspectIsolated } from '../isolated.js';
import { studentText } from '../student-text.js';

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: 'show the modules and the classifier of a teacher file, or the card of a student',
  arguments: [
    { syntax: '<file>', description: 'file of torch.export.save or TorchScript; run folder or student.safetensors' },
  ],
  options: z.strictObject({
    tap: z.string().optional().describe('module path of the classifier, instead of the one that is found'),
    isolated: z
      .boolean()
      .default(false)
      .describe('load the file in a separate process, so that a hostile file cannot crash this one'),
    json: z.boolean().default(false).describe('print everything as JSON'),
  }),
  examples: ['srrl inspect assets/shapes-teacher.pt', 'srrl inspect runs/a', 'srrl inspect download.pt --isolated'],
  async run({ tap, isolated, json }, [file = '']) {
    if (isStudent(file)) {
      const [student, card] = [studentFileIn(file), readStudentCard(file)];
      console.log(json ? JSON.stringify({ file: student, ...card }) : studentText(student, card));
      return;
    }
    const options = tap === undefined ? {} : { tap };
    const kind = await archiveKind(file);
    if (kind === 'old program') throw new FileError(oldProgram(file));
    const found = await (isolated
      ? inspectIsolated(file, tap)
      : kind === 'program'
        ? inspectExported(file, options)
        : inspectScript(file, options));
    if (json) {
      console.log(JSON.stringify(found));
    } else {
      const shapesOf = (path: string) =>
        found.parameters
          .filter(({ name }) => name.slice(0, name.lastIndexOf('.')) === path)
          .map(({ name, shape }) => `${name.slice(path.length + 1)} [${shape.join(', ')}]`);
      console.log(
        table(
          ['module', 'type', 'parameters'],
          found.modules.map(({ path, type }) => [path, type, shapesOf(path).join('  ')].map(printableName)),
        ),
      );
      console.log(
        `${found.type}: ${found.numParameters.toLocaleString('en')} parameters in ${found.modules.length} modules`,
      );
      if (found.linears.length > 1) console.log(`linear layers: ${found.linears.map(({ name }) => name).join(', ')}`);
      const { classifier } = found;
      if (classifier) {
        console.log(
          `classifier: ${classifier.name}, ${classifier.numClasses} classes; its input, the penultimate feature, has ${classifier.featureChannels} channels`,
        );
      }
    }
    if (found.problem) throw new TeacherError(found.problem);
  },
});

const isStudent = (path: string): boolean =>
  path.endsWith('.safetensors') || (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false);
