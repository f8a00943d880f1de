import { GatewayFault } from '../../core/fault.ts';
import type { Statement } from '../../sql/statement.ts';
import { letsWrite } from './settings.ts';

/**
 * Why a statement does not pass at a target that is for reading only; undefined where it does. The server's own read-only transactions
 * are the second layer: they let VACUUM, NOTIFY, advisory locks and what functions do outside tables pass, this does not.
 */
export function readOnlyRefusal(statements: readonly Statement[], opaque: boolean): GatewayFault | undefined {
  for (const statement of statements) {
    for (const effect of statement.sessionEffects) {
      if (effect.kind === 'prepare' && !effect.statement.reads) return readOnly(`${effect.statement.kind} is not a read`);
      if (effect.kind === 'set' && letsWrite(effect.setting, effect.values)) return readOnly('its sessions stay read-only');
    }
    if (!statement.reads && !statement.opaque) return readOnly(`${statement.kind} may change something`);
  }
  return opaque ? readOnly('this runs code that the gateway cannot see') : undefined;
}

function readOnly(because: string): GatewayFault {
  return new GatewayFault('read-only', { publicMessage: `this target is for reading only: ${because}` });
}
