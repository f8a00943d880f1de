import type { Lineage, LineageCatalogue } from '../../sql/lineage.ts';
import type { QualifiedName, Statement } from '../../sql/statement.ts';

/**
 * Lineages of views' definitions, kept from one reading of the catalogue to the next with every question that tracing asked and its answer:
 * one is used again only where the same text gets the same answers to all of them. What a catalogue would answer otherwise can have had
 * no say in it.
 */
export class ViewLineages {
  #known: ReadonlyMap<string, Traced> = new Map();
  #next = new Map<string, Traced>();

  of(definition: string, statement: Statement, catalogue: LineageCatalogue): Lineage | undefined {
    const known = this.#known.get(definition);
    const traced = known !== undefined && isAnsweredAlike(known, catalogue) ? known : trace(statement, catalogue);
    this.#next.set(definition, traced);
    return traced.lineage;
  }

  /** A reading is over: what it did not ask for is forgotten. */
  settle(): void {
    this.#known = this.#next;
    this.#next = new Map();
  }
}

interface Traced {
  readonly lineage: Lineage | undefined;
  readonly relations: readonly { readonly name: QualifiedName; readonly answer: Relation }[];
  readonly functions: ReadonlyMap<string, boolean>;
  readonly operators: ReadonlyMap<string, boolean>;
}

type Relation = ReturnType<LineageCatalogue['relation']>;

function trace(statement: Statement, catalogue: LineageCatalogue): Traced {
  const relations: { name: QualifiedName; answer: Relation }[] = [];
  const functions = new Map<string, boolean>();
  const operators = new Map<string, boolean>();
  const lineage = statement.lineage({
    relation(name) {
      const answer = catalogue.relation(name);
      relations.push({ name, answer });
      return answer;
    },
    hasUserFunction: (name) => noted(functions, name, catalogue.hasUserFunction(name)),
    hasUserOperator: (name) => noted(operators, name, catalogue.hasUserOperator(name)),
  });
  return { lineage, relations, functions, operators };
}

function noted(answers: Map<string, boolean>, name: string, answer: boolean): boolean {
  answers.set(name, answer);
  return answer;
}

function isAnsweredAlike({ relations, functions, operators }: Traced, catalogue: LineageCatalogue): boolean {
  for (const { name, answer } of relations) if (!isSameRelation(answer, catalogue.relation(name))) return false;
  for (const [name, answer] of functions) if (catalogue.hasUserFunction(name) !== answer) return false;
  for (const [name, answer] of operators) if (catalogue.hasUserOperator(name) !== answer) return false;
  return true;
}

function isSameRelation(before: Relation, now: Relation): boolean {
  if (before === undefined || now === undefined) return before === now;
  if (before.id !== now.id) return false;
  return (
    before.columns === now.columns ||
    (before.columns.length === now.columns.length && before.columns.every((column, index) => column === now.columns[index]))
  );
}
