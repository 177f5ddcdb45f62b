/** Parses untrusted YAML: refuses aliases that expand too far or are circular. */
import { LineCounter, parseDocument } from 'yaml';

/** A problem in a YAML text, with its line. */
export class YamlProblem extends Error {
  constructor(
    /** Counted from 1. */
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

/** Returns the value of one document. Throws {@link YamlProblem}. */
export function parseYaml(text: string): unknown {
  const lines = new LineCounter();
  try {
    // Warnings would print parts of the text, control characters among them.
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
    const [problem] = document.errors;
    if (problem) throw new YamlProblem(lines.linePos(problem.pos[0]).line, problem.message);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    // Throws if an alias is inside the value that it refers to.
    JSON.stringify(value);
    return value;
  } catch (error) {
    if (error instanceof YamlProblem) throw error;
    const nested = error instanceof RangeError;
    throw new YamlProblem(1, nested ? 'it is nested too deeply.' : 'its aliases unfold to too much, or form a circle.');
  }
}
