import { GatewayFault } from '../../core/fault.ts';
import { RecentMap } from '../../core/recent-map.ts';

/** What a call is for. */
export interface MethodName {
  /** With its package: `bank.v1.Ledger`. */
  readonly service: string;
  readonly rpc: string;
  /** `bank.v1.Ledger/Transfer`. */
  readonly full: string;
}

/**
 * The method that a path names: `/package.Service/Method`, names as protobuf spells them, and nothing else. No escape, no other slash, no query: what a server
 * could read in another way (gRPC-Go took a path without its first slash for the method, its policy did not: CVE-2026-33186) is `unsupported`.
 */
export function methodOf(path: string): MethodName | GatewayFault {
  const known = names.get(path);
  if (known !== undefined) return known;
  const [, service = '', rpc = ''] = (path.length <= maxPathCharacters && PATH.exec(path)) || [];
  if (service !== '') {
    const name = { service, rpc, full: `${service}/${rpc}` };
    names.set(path, name);
    return name;
  }
  return new GatewayFault('unsupported', { publicMessage: 'the path does not name a method: /package.Service/Method' });
}

const PATH = /^\/([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\/([A-Za-z_][A-Za-z0-9_]*)$/;
const maxPathCharacters = 512;
/** A call asks several times what its path says. */
const names = new RecentMap<string, MethodName>(512);
