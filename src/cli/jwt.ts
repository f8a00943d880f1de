/** Claims of a JWT, unverified: only to choose among tokens and to warn; the gateway verifies. Undefined where it is none. */
export function unverifiedClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    return JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** `aud` as a list; empty where there is none. */
export function audiencesOf(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const { aud } = claims;
  return (Array.isArray(aud) ? aud : [aud]).filter((audience) => typeof audience === 'string');
}
