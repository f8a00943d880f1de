import { isJson } from '../../masking/json-bytes.ts';
import { replaceMembers } from '../../masking/json-members.ts';

/** Whether a credential may stand under this name, or in this text. */
export function speaksOfCredential(text: string): boolean {
  return CREDENTIAL.test(text);
}

/** A JSON text for the record: without the value of any member whose name speaks of a credential. Undefined for what is no JSON. `enough` as in `replaceMembers`; `isKnown`: it is JSON. */
export function withoutSecretMembers(text: string, enough?: number, isKnown = false): string | undefined {
  const beginning = enough === undefined ? text : text.slice(0, enough);
  if (mayNameSecret(beginning)) return replaceMembers(text, CREDENTIAL, JSON.stringify(LEFT_OUT), enough);
  return isKnown || isJson(text) ? beginning : undefined;
}

/** Whether the name of any member in this beginning of a JSON text may speak of a credential. One that is written with `\u` may say anything; other escapes stand for no character of `CREDENTIAL`. */
function mayNameSecret(json: string): boolean {
  return CREDENTIAL.test(json) || NAME_OF_CREDENTIAL.test(json) || json.includes('\\u');
}

/** Stands for a credential on record. */
export const LEFT_OUT = '[redacted]';
const CREDENTIAL =
  /passw|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|authori[sz]ation|assertion|signature|session[-_.]?id|cookie|^(?:sig|pwd|otp|pin|code)$/i;
/** What is one only as a whole name, in JSON. */
const NAME_OF_CREDENTIAL = /"(?:sig|pwd|otp|pin|code)"/i;
