import { ConfigError } from '../errors.js';
import type { Term, Terms } from '../flow.js';
import type { Module } from '../nn/index.js';
import type { Method, Objective, Setting, StepValues } from './method.js';

interface Member {
  name: string;
  objective: Objective;
}

/**
 * Several methods at once; the loss is the sum of theirs. Terms keep their names if these are unique; otherwise they
 * are `<method>.<term>`, except that the cross-entropy `ce` is taken once, from the first method that has it. Modules
 * are `<method>.<module>`.
 */
export class SumOfMethods implements Method {
  readonly name: string;
  readonly needsTeacher: boolean;
  readonly options: Record<string, unknown>;

  /** Throws ConfigError for no methods and for one that appears twice. */
  constructor(readonly methods: readonly Method[]) {
    const names = methods.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (names.length === 0) throw new ConfigError('A sum of methods needs at least one method, such as srrl.');
    if (twice !== undefined) {
      throw new ConfigError(
        `The method ${twice} appears twice in ${names.join(' + ')}; its terms could not be told apart.\nName it only once.`,
      );
    }
    this.name = names.join('+');
    this.needsTeacher = methods.some(({ needsTeacher }) => needsTeacher);
    this.options = Object.fromEntries(methods.map(({ name, options }) => [name, options]));
  }

  /** Also throws ConfigError if two methods deploy their own networks. */
  setUp(setting: Setting): Objective {
    const members: Member[] = [];
    try {
      for (const method of this.methods) members.push({ name: method.name, objective: method.setUp(setting) });
      return unite(members);
    } catch (error) {
      for (const { objective } of members) discard(objective);
      throw error;
    }
  }
}

function unite(members: readonly Member[]): Objective {
  const deploying = members.filter(({ objective }) => objective.deploy);
  if (deploying.length > 1) {
    throw new ConfigError(
      `${deploying.map(({ name }) => name).join(' and ')} cannot be added: each makes the student predict through modules of its own.\nKeep one of them.`,
    );
  }
  const modules: [string, Module][] = members.flatMap(({ name, objective }) =>
    Object.entries(objective.modules).map(([key, module]): [string, Module] => [`${name}.${key}`, module]),
  );
  const deployer = deploying[0]?.objective;
  return {
    modules: Object.fromEntries(modules),
    terms: (values) => unitedTerms(members, values),
    comparesImages: members.some(({ objective }) => objective.comparesImages === true),
    ...(deployer && { deploy: (student) => deployer.deploy?.(student) ?? student }),
    dispose() {
      for (const { objective } of members) objective.dispose?.();
    },
  };
}

function unitedTerms(members: readonly Member[], values: StepValues): Terms {
  const all = members.flatMap(({ name, objective }) =>
    Object.entries(objective.terms(values)).map(([term, value]) => ({ method: name, term, value })),
  );
  const isUnique = (term: string) => all.filter((other) => other.term === term).length === 1;
  const united: Record<string, Term> = {};
  for (const { method, term, value } of all) {
    if (term === 'ce') united.ce ??= value;
    else united[isUnique(term) ? term : `${method}.${term}`] = value;
  }
  return united;
}

function discard(objective: Objective): void {
  for (const module of Object.values(objective.modules)) module.dispose();
  objective.dispose?.();
}
