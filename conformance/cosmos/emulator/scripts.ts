import { runInNewContext } from 'node:vm';
import { badRequest, notFound, type Answer } from './answer.ts';
import type { UserDefined } from './query/evaluate.ts';
import type { Container } from './store.ts';

/** Runs a stored procedure, which sees every item of the container. */
export function executed(container: Container, id: string, parameters: unknown): Answer {
  const procedure = container.scripts.sprocs.get(id);
  if (procedure === undefined) throw notFound();
  let body: unknown = '';
  const collection = {
    getSelfLink: () => 'self',
    queryDocuments: (_link: string, _query: unknown, callback: (error: unknown, items: unknown) => void) => {
      callback(undefined, [...container.items.values()]);
      return true;
    },
  };
  const context = { getCollection: () => collection, getResponse: () => ({ setBody: (value: unknown) => (body = value) }) };
  call(String(procedure['body']), { getContext: () => context }, Array.isArray(parameters) ? (parameters as unknown[]) : [parameters]);
  return { status: 200, body };
}

/** Runs triggers before an item is written. */
export function runTriggers(container: Container, names: string | undefined, item: unknown): unknown {
  let body = item;
  for (const name of names?.split(',') ?? []) {
    const trigger = container.scripts.triggers.get(name.trim());
    if (trigger === undefined) throw badRequest(`The trigger ${name} does not exist.`);
    const request = { getBody: () => body, setBody: (value: unknown) => (body = value) };
    call(String(trigger['body']), { getContext: () => ({ getRequest: () => request }) }, []);
  }
  return body;
}

export function userDefinedOf(container: Container): UserDefined {
  return new Map(
    [...container.scripts.udfs].map(([name, { body }]) => [name, (...values: readonly unknown[]) => call(String(body), {}, values)]),
  );
}

function call(body: string, globals: Readonly<Record<string, unknown>>, parameters: readonly unknown[]): unknown {
  try {
    return runInNewContext(`(${body})(...parameters)`, { ...globals, parameters }, { timeout: 1_000 }) as unknown;
  } catch (error) {
    throw badRequest(`Encountered exception while executing Javascript: ${(error as Error).message}`);
  }
}
