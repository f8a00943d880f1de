import { replaceMembers } from '../../masking/json-members.ts';

/** Whether a credential may stand under this name, or in this text. */
export function speaksOfCredential(text: string): boolean {
  return CREDENTIAL.test(text);
}

/** A JSON text for the record: without the value of any member whose name speaks of a credential. Undefined for what is no JSON. `enough` as in `replaceMembers`. */
export function withoutSecretMembers(text: string, enough?: number): string | undefined {
  return replaceMembers(text, CREDENTIAL, JSON.stringify(LEFT_OUT), enough);
}

/** Stands for a credential on record. */
export const LEFT_OUT = '[redacted]';
const CREDENTIAL =
  /passw|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|authori[sz]ation|assertion|signature|session[-_.]?id|cookie|^(?:sig|pwd|otp|pin|code)$/i;
