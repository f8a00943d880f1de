import type { RequestTargetConfig } from '../../config/index.ts';
import type { HeaderField } from '../../protocols/request.ts';

/** The gateway's own credential as a target takes it. */
export function credentialField({ credential }: RequestTargetConfig['upstream']): HeaderField | undefined {
  switch (credential?.kind) {
    case undefined:
      return undefined;
    case 'bearer':
      return { name: 'authorization', value: `Bearer ${credential.token.text()}` };
    case 'basic': {
      const pair = Buffer.from(`${credential.user}:${credential.password.text()}`, 'utf8').toString('base64');
      return { name: 'authorization', value: `Basic ${pair}` };
    }
    case 'header':
      return { name: credential.name.toLowerCase(), value: credential.value.text() };
    default:
      return credential satisfies never;
  }
}
