import type { IssuedToken, WellKnown } from '../api/schema.ts';
import { ambientToken, checkAudience, managedIdentityToken } from './ambient.ts';
import type { AmbientToken } from './ambient.ts';
import { ApiClient } from './client.ts';
import { Failure, usage } from './failure.ts';
import { gatewayUrl } from './settings.ts';

export interface TargetTokenOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly audience?: string;
}

/** Finds who runs this (a job by its surroundings, else a person signed in) and exchanges that token for one for the target, or for what else is `asked`. */
export async function targetToken(
  target: string,
  options: TargetTokenOptions,
  asked: Readonly<Record<string, string>> = {},
): Promise<IssuedToken> {
  const client = new ApiClient(await gatewayUrl(options.url));
  const subject = await subjectToken(client, options);
  const response = await client.postForm('/oauth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subject.token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: target,
    ...asked,
  });
  const body = (await response.json()) as IssuedToken & { error?: string; error_description?: string; detail?: string };
  if (response.ok) return body;
  const reason = body.error_description ?? body.detail ?? `the gateway answered ${response.status}`;
  throw new Failure(`no token for ${target} (${subject.source}): ${reason}`, { hint: hintFor(body.error) });
}

async function subjectToken(client: ApiClient, options: TargetTokenOptions): Promise<AmbientToken> {
  const { agents } = await client.get<WellKnown>('/.well-known/sallyport');
  const acceptable = options.audience === undefined ? agents.map(({ audience }) => audience) : [options.audience];
  const here = {
    env: process.env,
    tokenFile: options.tokenFile,
    audience: async (issuer: string | undefined) => options.audience ?? chooseAudience(agents, issuer),
  };
  const ambient = await ambientToken(here);
  if (ambient !== undefined) {
    checkAudience(ambient, acceptable);
    return ambient;
  }
  const { storedPersonToken } = await import('./people.ts');
  const person = await storedPersonToken(client.url);
  if (person !== undefined) return { token: person, source: 'your sign-in' };
  const managed = acceptable.length === 0 ? undefined : await managedIdentityToken(here);
  if (managed !== undefined) {
    checkAudience(managed, acceptable);
    return managed;
  }
  throw new Failure('found no token of a CI job or workload, and nobody is signed in', {
    hint: 'give --token-file or SALLYPORT_ID_TOKEN, or run: sallyport login',
  });
}

function chooseAudience(agents: WellKnown['agents'], issuer: string | undefined): string {
  const ofIssuer = agents.filter((agent) => agent.issuer === issuer);
  const audiences = new Set((ofIssuer.length > 0 ? ofIssuer : agents).map(({ audience }) => audience));
  const [audience] = audiences;
  if (audience !== undefined && audiences.size === 1) return audience;
  throw usage('which audience must the token have?', 'give --audience, as the gateway’s issuers configure it');
}

function hintFor(error: string | undefined): string {
  if (error === 'invalid_target') return 'is the name right, and may you use it?';
  if (error === 'temporarily_unavailable') return 'try again in a moment';
  return 'why is in the gateway’s audit log, not in this answer: ask its operator';
}
