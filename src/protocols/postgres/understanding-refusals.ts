import { GatewayFault } from '../../core/fault.ts';
import type { Statement } from '../../sql/statement.ts';
import { reachedClasses, type MaskFacts } from './mask.ts';
import { reasonSetting, type ReasonChange } from './reason.ts';
import { isGatewaySetting, isPinnedSetting } from './settings.ts';
import type { Tracer } from './understanding-lineage.ts';
import type { Sight } from './understanding.ts';

/**
 * What no policy can allow: it would change how statements are read, or carry sensitive data out of the column that is masked. `code`: it
 * runs code that the gateway cannot see; what that code reads by itself is policy's business (`sql:call-function`, `sql:do`, `define`).
 */
export function refusalOf(
  statements: readonly Statement[],
  sight: Sight,
  facts: MaskFacts,
  classes: readonly string[],
  code: boolean,
  tracer: Tracer,
): GatewayFault | undefined {
  for (const statement of statements) {
    for (const effect of statement.sessionEffects) {
      if (effect.kind === 'set' && isPinnedSetting(effect.setting, effect.values)) {
        return new GatewayFault('unsupported', {
          publicMessage: `${effect.setting} cannot be changed through the gateway`,
          hint: 'Leave it at its default.',
        });
      }
    }
    if (setsByRow(statement) && isShadowed(settingsView, sight)) {
      return new GatewayFault('unclassified', {
        publicMessage: 'set_config of a name that is read from a pg_settings which may not be the server’s own',
        hint: 'Give set_config the name of the setting as a literal.',
      });
    }
    const { copies, copy } = statement;
    if (copies !== undefined) {
      const { mentions, mentionsAll } = copies;
      const carried = reachedClasses(sight.masks, { ...facts, mentions, mentionsAll, opaque: facts.opaque || statement.copiesAny });
      if (carried.length > 0 && statement.copiesAny)
        return withheld('it may carry away', carried, 'Name what is read in the statement itself, or have the class revealed to you.');
      if (carried.length > 0)
        return withheld('it would copy', carried, 'Leave the sensitive columns out, or have their class revealed to you.');
    }
    if (copy?.direction === 'to-client' && copy.format === 'binary' && !sight.masks.detectors.isEmpty) return unsearchable();
    if (copy?.direction === 'to-client') {
      const shown = copyClasses(statement, sight, facts, tracer.columnClasses(statement) ?? classes);
      if (shown.length > 0)
        return withheld('COPY would show', shown, 'Use SELECT, which shows masked values, or name only columns that are not sensitive.');
    }
  }
  const visible = code ? reachedClasses(sight.masks, { ...facts, opaque: false }) : [];
  if (visible.length === 0) return undefined;
  return withheld('code that the gateway cannot see would get', visible, 'Call the function without sensitive columns.');
}

/** The reason is stated by a statement of its own, which has no part in the transaction. */
export function gatewaySettingRefusal(statements: readonly Statement[], change: ReasonChange | undefined): GatewayFault | undefined {
  if (change !== undefined) return undefined;
  const named = statements
    .flatMap(({ sessionEffects }) => sessionEffects)
    .find((effect) => effect.kind === 'set' && isGatewaySetting(effect.setting));
  if (named?.kind !== 'set') return undefined;
  return new GatewayFault('unsupported', {
    publicMessage: `${named.setting} cannot be set like this`,
    hint: `Send SET ${reasonSetting} = '…' as a statement of its own, not SET LOCAL and not by set_config.`,
  });
}

function unsearchable(): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: 'a binary COPY cannot be searched for sensitive values',
    hint: 'Copy in text or CSV format.',
  });
}

/** The analysis took `name` of the server's `pg_settings` for the name of the setting. */
function setsByRow({ functions, relations }: Statement): boolean {
  return functions.some(({ name }) => name === 'set_config') && relations.some(({ name }) => name === settingsView);
}

function isShadowed(name: string, { catalogue, made }: Sight): boolean {
  return made.has(name) || catalogue.relationsNamed({ schema: undefined, name }).some(({ schema }) => schema !== 'pg_catalog');
}

function copyClasses(statement: Statement, sight: Sight, facts: MaskFacts, classes: readonly string[]): readonly string[] {
  const columns = statement.copy?.columns ?? [];
  return columns.length > 0 ? reachedClasses(sight.masks, { ...facts, mentions: columns, mentionsAll: false }) : classes;
}

function withheld(what: string, classes: readonly string[], hint: string): GatewayFault {
  const names = classes.map((name) => `"${name}"`).join(', ');
  return new GatewayFault('masking-refused', { publicMessage: `refused: ${what} data class ${names}, which you may not see`, hint });
}

const settingsView = 'pg_settings';
