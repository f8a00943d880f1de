import { GatewayFault, toFault } from '../core/fault.ts';
import type { ClientIdentity, UpstreamCredential } from '../identity/upstream/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import { untilAborted } from './http-aborted.ts';
import { hostOf, isRepeatable, type Forwarded } from './http-upstream.ts';
import type { Upstream } from './http-upstream-answer.ts';
import type { StopSignal } from './stop.ts';
import type { UpstreamAddress } from './upstream.ts';

/**
 * The way to a target with the gateway's own credential: it is put on each request when its grant exists, right before it goes out, so that a token which was fetched
 * before people decided cannot be too old. Where the target no longer accepts it, the next request has a new one, and a request that changes nothing goes out once more with it.
 *
 * `connectAs`: other connections to the same target, for a client certificate that the credential brings. Those of one certificate are used for no other, and those without one for none.
 */
export function withCredential(
  upstream: Upstream,
  address: UpstreamAddress,
  credential: UpstreamCredential,
  connectAs: (identity: ClientIdentity) => Upstream,
): Upstream {
  let own: { readonly identity: ClientIdentity; readonly upstream: Upstream } | undefined;
  const wayFor = (fields: readonly HeaderField[]): Upstream => {
    const identity = credential.identityOf?.(fields);
    if (identity === undefined) return upstream;
    if (own?.identity.certificate === identity.certificate && own.identity.key === identity.key) return own.upstream;
    own?.upstream.close();
    own = { identity, upstream: connectAs(identity) };
    return own.upstream;
  };
  return {
    async send(forwarded, grant, sessionId, signal) {
      const added = await fieldsFor(credential, forwarded, address, signal);
      const send = (fields: typeof added): ReturnType<Upstream['send']> =>
        wayFor(fields).send({ ...forwarded, fields: [...forwarded.fields, ...fields] }, grant, sessionId, signal);
      const answer = await send(added);
      if (answer.status !== 401 || !credential.refused(added) || !isRepeatable(forwarded)) return answer;
      answer.discard();
      return send(await fieldsFor(credential, forwarded, address, signal));
    },
    async upgrade(forwarded, protocol, grant, sessionId, signal) {
      if (upstream.upgrade === undefined) throw new GatewayFault('unsupported', { publicMessage: `the target does not speak ${protocol}` });
      const added = await fieldsFor(credential, forwarded, address, signal);
      const answer = await wayFor(added).upgrade!(
        { ...forwarded, fields: [...forwarded.fields, ...added] },
        protocol,
        grant,
        sessionId,
        signal,
      );
      if ('status' in answer && answer.status === 401) credential.refused(added);
      return answer;
    },
    close() {
      upstream.close();
      own?.upstream.close();
    },
  };
}

async function fieldsFor(
  credential: UpstreamCredential,
  { method, target, fields, body }: Forwarded,
  address: UpstreamAddress,
  signal: StopSignal,
) {
  try {
    const made = credential.fieldsFor({
      method,
      host: hostOf(address),
      target,
      fields,
      body: body.kind === 'whole' ? body.bytes : body.kind,
    });
    return made instanceof Promise ? await untilAborted(made, signal) : made;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const { code, publicMessage, detail, hint, cause } = toFault(error);
    throw new GatewayFault(code, { publicMessage, detail, ...(hint === undefined ? {} : { hint }), cause, nothingSent: true });
  }
}
