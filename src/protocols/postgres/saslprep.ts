/** A password as SCRAM uses it (RFC 5802 section 2.2: SASLprep, RFC 4013). */
export function preparedPassword(password: string): Uint8Array {
  return new TextEncoder().encode(password.normalize('NFKC'));
}
