import { nodeCrypto } from '../../net/crypto.ts';
import { createAnalyser, loadParser } from '../../sql/postgres/index.ts';
import type { Operation } from '../../core/operation.ts';
import type { Analysis } from '../../sql/statement.ts';
import * as encode from './encode.ts';
import { bankCatalogue, bankClasses } from './testing/bank.ts';
import { TestGateway, type GatewayOptions } from './testing/gateway.ts';
import { transcript } from './testing/transcript.ts';

/** What the tests of whole sessions share. */

await loadParser();
const analyser = createAnalyser();
export const analyse = (sql: string): Analysis => analyser.analyse(sql);

export const classes = bankClasses(nodeCrypto);
export const catalogue = bankCatalogue(nodeCrypto, analyse);

/** Not signed on yet. */
export function fresh(options: Partial<GatewayOptions> = {}): TestGateway {
  return new TestGateway({ crypto: nodeCrypto, analyse, classes, catalogue, ...options });
}

export function ready(options: Partial<GatewayOptions> = {}): TestGateway {
  return TestGateway.ready({ crypto: nodeCrypto, analyse, classes, catalogue, ...options });
}

/** What the client received since this was last asked, without the notices that say what was masked. */
export function answers(gateway: TestGateway): string[] {
  return transcript(gateway.toClient.splice(0)).filter((word) => !word.startsWith('Notice(masked:'));
}

/** Statements that were asked for and how it was answered; those that were only named are left out. */
export function decisions(gateway: TestGateway): string[] {
  return gateway.operations.filter(({ naming }) => !naming).map((one) => `${one.outcome} ${one.unmasked().text}`);
}

export function outcomes(gateway: TestGateway): string[] {
  return gateway.completions.map(({ outcome }) => outcome);
}

/** Denies or holds every statement whose text `match` is in. */
export function when(match: string, answer: 'deny' | 'hold'): (operation: Operation) => 'allow' | 'deny' | 'hold' {
  return (operation) => (operation.unmasked().text.includes(match) ? answer : 'allow');
}

export const sync = encode.emptyClientMessage('Sync');
export const flush = encode.emptyClientMessage('Flush');

export function parse(query: string, name = ''): Uint8Array {
  return encode.parse({ name, query, parameterTypes: [] });
}

export function bind(statement = '', portal = '', parameters: readonly string[] = []): Uint8Array {
  const values = parameters.map((value) => Buffer.from(value));
  return encode.bind({ portal, statement, parameterFormats: [], parameters: values, resultFormats: [] });
}

export function execute(portal = '', maxRows = 0): Uint8Array {
  return encode.execute(portal, maxRows);
}

/** Parse, Bind, Describe, Execute of the unnamed statement. */
export function run(query: string): readonly Uint8Array[] {
  return [parse(query), bind(), encode.describe('P', ''), execute()];
}

export function error(state: string, text: string): Uint8Array {
  return encode.errorResponse(
    new Map([
      ['S', 'ERROR'],
      ['V', 'ERROR'],
      ['C', state],
      ['M', text],
    ]),
  );
}

export function joined(messages: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(messages));
}
