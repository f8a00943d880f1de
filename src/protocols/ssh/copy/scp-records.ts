import { GatewayFault } from '../../../core/fault.ts';
import { textOf } from '../sftp/decode.ts';

/**
 * What the sending side of the old scp protocol says (OpenSSH's scp.c, `source` and `sink`; there is no other specification): one line each, and behind a `file` its bytes and one
 * line or byte that says whether they could be read.
 */
export type ScpRecord =
  | { readonly kind: 'file'; readonly mode: string; readonly size: number; readonly name: string }
  | { readonly kind: 'folder'; readonly mode: string; readonly name: string }
  | { readonly kind: 'end-of-folder' }
  | { readonly kind: 'times' }
  /** In the place of a record: something could not be sent. `fatal`: it is the last one. */
  | { readonly kind: 'message'; readonly text: string; readonly fatal: boolean };

/** A line without its line feed. Throws `protocol-violation`. */
export function readScpRecord(line: Uint8Array): ScpRecord {
  const text = textOf(line);
  if (text === undefined) throw violation('a line that is no UTF-8');
  const letter = text[0];
  if (letter === '\u0001' || letter === '\u0002') return { kind: 'message', text: text.slice(1), fatal: letter === '\u0002' };
  if (text === 'E') return { kind: 'end-of-folder' };
  if (/^T\d{1,20} \d{1,6} \d{1,20} \d{1,6}$/.test(text)) return { kind: 'times' };
  const [, kind, mode = '', size = '', name = ''] = /^([CD])([0-7]{4}) (\d{1,16}) ([^/\0]+)$/.exec(text) ?? [];
  if (kind === undefined || name === '.' || name === '..') throw violation('a line that is no record, or a name that leaves its folder');
  if (kind === 'D') return { kind: 'folder', mode, name };
  return { kind: 'file', mode, size: Number(size), name };
}

function violation(what: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `scp: ${what}` });
}
