/** YAML that nobody vouches for: aliases that unfold to much, or circles, are refused. */
import { LineCounter, parseDocument } from 'yaml';

/** What is wrong with a text, and where. */
export class YamlProblem extends Error {
  constructor(
    /** Counted from 1. */
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

/** The value of one document. Throws {@link YamlProblem}. */
export function parseYaml(text: string): unknown {
  const lines = new LineCounter();
  try {
    // Warnings would print parts of the text, control characters among them.
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
    const [problem] = document.errors;
    if (problem) throw new YamlProblem(lines.linePos(problem.pos[0]).line, problem.message);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    // Throws where an alias stands within what it stands for.
    JSON.stringify(value);
    return value;
  } catch (error) {
    if (error instanceof YamlProblem) throw error;
    const nested = error instanceof RangeError;
    throw new YamlProblem(1, nested ? 'it is nested too deeply.' : 'its aliases unfold to too much, or form a circle.');
  }
}
