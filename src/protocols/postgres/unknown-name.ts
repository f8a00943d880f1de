import { GatewayFault } from '../../core/fault.ts';
import type { NameSpace } from './messages.ts';

/** A name that does not exist, here or at the server: no refusal, so it is worded as the server words it. */
export class MissingNameFault extends GatewayFault {
  /** 26000 makes a driver prepare its statement again. */
  readonly sqlState: '26000' | '34000';

  constructor(what: NameSpace, message: string) {
    super('unclassified', { publicMessage: message });
    this.sqlState = what === 'S' ? '26000' : '34000';
  }
}

type Kind = 'prepared statement' | 'portal' | 'cursor';

/** The refusal of a name that the session's own table does not have. Where code that nobody sees may have made it, nothing more is known. */
export function unknownName(kind: Kind, name: string, mayExist: boolean): GatewayFault {
  if (!mayExist) {
    const message = kind === 'prepared statement' && name === '' ? 'unnamed prepared statement' : `${kind} "${name}"`;
    return new MissingNameFault(kind === 'prepared statement' ? 'S' : 'P', `${message} does not exist`);
  }
  return new GatewayFault('unclassified', {
    publicMessage: `${kind} "${name}" is not known in this session`,
    hint: 'Prepare or declare it through the gateway in this session first.',
  });
}
