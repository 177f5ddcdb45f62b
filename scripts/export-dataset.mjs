// Writes a data set as raw bytes for programs that are not ours, such as assets/make-teachers.py.
//   node scripts/export-dataset.mjs shapes:20000 FOLDER
// makes {train,test}.{images,labels}.bin and about.json in FOLDER.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../dist/data/datasets/index.js';

const [source, folder] = process.argv.slice(2);
if (!source || !folder) {
  console.error('usage: node scripts/export-dataset.mjs KIND:PATH FOLDER');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const { train, test, ...about } = await openDataset(source);
for (const [split, { images, labels }] of Object.entries({ train, test })) {
  writeFileSync(join(folder, `${split}.images.bin`), images);
  writeFileSync(join(folder, `${split}.labels.bin`), labels);
}
writeFileSync(join(folder, 'about.json'), JSON.stringify({ ...about, source }, null, 2));
