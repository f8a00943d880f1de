import * as oidc from 'openid-client';
import type { WellKnown } from '../api/schema.ts';
import { Failure, messageOf, usage } from './failure.ts';
import { audiencesOf, unverifiedClaims } from './jwt.ts';
import { waitForRedirect } from './loopback.ts';
import { isLoopback, readStored, writeStored } from './settings.ts';
import type { SignIn } from './settings.ts';
import { note, printable } from './terminal.ts';

export type PeopleIssuer = WellKnown['issuers'][number];

/** `SALLYPORT_TOKEN`, else what `sallyport login` keeps, refreshed where it is about to expire. */
export async function personToken(url: string): Promise<string> {
  const token = await storedPersonToken(url);
  if (token !== undefined) return token;
  throw new Failure(`not signed in at ${url}`, { hint: `run: sallyport login ${url}` });
}

/** As `personToken`; undefined where nobody signed in. */
export async function storedPersonToken(url: string): Promise<string | undefined> {
  const given = process.env['SALLYPORT_TOKEN'];
  if (given !== undefined && given !== '') return given;
  const stored = await readStored();
  const signIn = stored.gateways.get(url);
  if (signIn === undefined) return undefined;
  if (signIn.expiresAtMs > Date.now() + 30_000) return signIn.token;
  if (signIn.refreshToken === null) throw new Failure('your sign-in has expired', { hint: `run: sallyport login ${url}` });
  const fresh = await refresh(signIn, signIn.refreshToken);
  await writeStored({ ...stored, gateways: new Map([...stored.gateways, [url, fresh]]) });
  return fresh.token;
}

/** Authorization code with PKCE, S256 (RFC 7636), answered on a loopback address (RFC 8252 section 7.3). */
export async function signInWithBrowser(issuer: PeopleIssuer, openBrowser: boolean): Promise<SignIn> {
  const configuration = await discover(issuer);
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const expectedState = oidc.randomState();
  const expectedNonce = oidc.randomNonce();
  const redirect = await waitForRedirect(expectedState);
  try {
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirect.uri,
      scope: issuer.scopes.join(' '),
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...resourceOf(issuer),
      // OpenID Connect Core section 11: offline access needs consent.
      ...(issuer.scopes.includes('offline_access') ? { prompt: 'consent' } : {}),
    });
    note(`sign in at: ${printable(url.href)}`);
    if (openBrowser) await redirect.open(url.href);
    const answer = await redirect.arrived;
    const tokens = await exchanged(
      oidc.authorizationCodeGrant(
        configuration,
        answer,
        { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true },
        resourceOf(issuer),
      ),
    );
    return signInOf(issuer, tokens, null);
  } finally {
    redirect.close();
  }
}

/** Device code (RFC 8628): for a terminal without a browser. */
export async function signInWithDevice(issuer: PeopleIssuer): Promise<SignIn> {
  const configuration = await discover(issuer);
  const parameters = { scope: issuer.scopes.join(' '), ...resourceOf(issuer) };
  const device = await exchanged(oidc.initiateDeviceAuthorization(configuration, parameters));
  note(`open ${printable(device.verification_uri)} and enter the code ${printable(device.user_code)}`);
  if (device.verification_uri_complete !== undefined) note(`or open ${printable(device.verification_uri_complete)}`);
  return signInOf(issuer, await exchanged(oidc.pollDeviceAuthorizationGrant(configuration, device, resourceOf(issuer))), null);
}

/** Tells the issuer that the refresh token is no longer needed, where it has an endpoint for that (RFC 7009). */
export async function revokeRefreshToken(signIn: SignIn): Promise<void> {
  if (signIn.refreshToken === null) return;
  const configuration = await discover({ name: '', client_id: signIn.clientId, ...signIn, scopes: [...signIn.scopes] });
  if (configuration.serverMetadata().revocation_endpoint === undefined) return;
  await exchanged(oidc.tokenRevocation(configuration, signIn.refreshToken));
}

async function refresh(signIn: SignIn, refreshToken: string): Promise<SignIn> {
  const issuer = { name: '', client_id: signIn.clientId, ...signIn, scopes: [...signIn.scopes] };
  try {
    const tokens = await oidc.refreshTokenGrant(await discover(issuer), refreshToken, resourceOf(issuer));
    return signInOf(issuer, tokens, refreshToken);
  } catch (cause) {
    throw new Failure(`your sign-in has expired and could not be renewed: ${messageOf(cause)}`, { hint: 'run: sallyport login', cause });
  }
}

async function discover(issuer: PeopleIssuer): Promise<oidc.Configuration> {
  const url = URL.parse(issuer.issuer);
  if (url === null || (url.protocol !== 'https:' && !isLoopback(url))) {
    throw usage(`the issuer ${issuer.issuer} does not use https`, 'ask the gateway’s operator');
  }
  const execute = url.protocol === 'http:' ? [oidc.allowInsecureRequests] : [];
  try {
    return await oidc.discovery(url, issuer.client_id, undefined, oidc.None(), { execute });
  } catch (cause) {
    throw new Failure(`the issuer ${issuer.issuer} does not answer as it should: ${messageOf(cause)}`, { cause });
  }
}

/** The gateway accepts tokens for its own audience only: usually the access token, at some issuers the ID token. */
function signInOf(issuer: PeopleIssuer, tokens: Tokens, oldRefreshToken: string | null): SignIn {
  for (const token of [tokens.access_token, tokens.id_token]) {
    const claims = token === undefined ? undefined : unverifiedClaims(token);
    if (token === undefined || claims === undefined || !audiencesOf(claims).includes(issuer.audience)) continue;
    return {
      issuer: issuer.issuer,
      clientId: issuer.client_id,
      audience: issuer.audience,
      scopes: issuer.scopes,
      resource: issuer.resource,
      token,
      refreshToken: tokens.refresh_token ?? oldRefreshToken,
      expiresAtMs: typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : 0,
    };
  }
  throw new Failure(`the issuer gave no token for the audience ${issuer.audience}`, {
    hint: 'the gateway’s operator must register the client for this audience, or set its scopes or resource',
  });
}

function resourceOf(issuer: PeopleIssuer): Record<string, string> {
  return issuer.resource === null ? {} : { resource: issuer.resource };
}

async function exchanged<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (cause) {
    const description = (cause as { error_description?: unknown }).error_description;
    throw new Failure(`the issuer refused: ${typeof description === 'string' ? description : messageOf(cause)}`, { cause });
  }
}

type Tokens = { readonly access_token: string; readonly id_token?: string; readonly refresh_token?: string };
