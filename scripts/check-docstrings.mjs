// Every public export has a docstring. Exits with 1 and the names of those without.
//   node scripts/check-docstrings.mjs [entry points, default src/index.ts src/torch.ts]
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// TypeScript 7 has no parser that a script can call; API Extractor brings an older TypeScript that has one.
const ts = createRequire(createRequire(import.meta.url).resolve('@microsoft/api-extractor'))('typescript');

const root = fileURLToPath(new URL('..', import.meta.url));
const entries =
  process.argv.length > 2 ? process.argv.slice(2) : ['src/index.ts', 'src/torch.ts'].map((file) => resolve(root, file));

const parsed = new Map();
function parse(file) {
  if (!parsed.has(file))
    parsed.set(file, ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
  return parsed.get(file);
}
const targetOf = (file, { text }) => resolve(dirname(file), text.replace(/\.js$/, '.ts'));

/** What a file declares under a name: a class and an interface may share one, and so do overloads. */
function declarations(file, name) {
  const found = [];
  for (const statement of parse(file).statements) {
    if (ts.isVariableStatement(statement)) {
      if (statement.declarationList.declarations.some((one) => one.name.text === name)) found.push(statement);
    } else if (statement.name?.text === name) found.push(statement);
  }
  return found.length > 0 ? [{ file, nodes: found }] : imported(file, name);
}

/** A name that a file has from another one. */
function imported(file, name) {
  for (const { importClause, moduleSpecifier } of parse(file).statements.filter(ts.isImportDeclaration)) {
    const bindings = importClause?.namedBindings;
    const one =
      bindings && ts.isNamedImports(bindings) && bindings.elements.find((element) => element.name.text === name);
    if (one && moduleSpecifier.text.startsWith('.'))
      return exportsOf(targetOf(file, moduleSpecifier)).get((one.propertyName ?? one.name).text) ?? [];
  }
  return [];
}

/** Exported names of a file, those of a namespace with its name before them. */
function exportsOf(file) {
  const found = new Map();
  for (const statement of parse(file).statements) {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause, moduleSpecifier } = statement;
      const others = moduleSpecifier && exportsOf(targetOf(file, moduleSpecifier));
      if (!exportClause) for (const [name, value] of others) found.set(name, value);
      else if (ts.isNamespaceExport(exportClause))
        for (const [name, value] of others) found.set(`${exportClause.name.text}.${name}`, value);
      else
        for (const { name, propertyName } of exportClause.elements) {
          const original = (propertyName ?? name).text;
          if (!others) found.set(name.text, declarations(file, original));
          else if (others.has(original)) found.set(name.text, others.get(original));
          else
            for (const [inner, value] of others)
              if (inner.startsWith(`${original}.`)) found.set(name.text + inner.slice(original.length), value);
        }
    } else if (statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) {
      const names = ts.isVariableStatement(statement) ? statement.declarationList.declarations : [statement];
      for (const { name } of names) found.set(name.text, declarations(file, name.text));
    }
  }
  return found;
}

const isDocumented = (node) => (node.jsDoc?.length ?? 0) > 0;

const problems = new Set();
for (const entry of entries) {
  for (const [name, places] of exportsOf(resolve(entry))) {
    const nodes = places.flatMap((place) => place.nodes.map((node) => ({ file: place.file, node })));
    const where = relative(root, nodes[0]?.file ?? entry);
    if (!nodes.some(({ node }) => isDocumented(node))) problems.add(`${where}: ${name}`);
  }
}
for (const problem of [...problems].sort()) console.error(problem);
process.exitCode = problems.size > 0 ? 1 : 0;
