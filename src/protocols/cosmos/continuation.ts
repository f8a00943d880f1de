import type { HeaderField } from '../request.ts';
import { decodedForms } from './decoded-forms.ts';
import type { ContainerMasks } from './masks.ts';

/**
 * What a continuation token may stand for, one after the other: the service writes into it what rows are sorted by. Empty where the answer has no token, or nothing is hidden.
 * Undefined where detectors find something in it, or it is too much to be looked through: then nothing of the answer is shown, as a token that was changed would lead nowhere.
 */
export function continuationForms(fields: readonly HeaderField[], { detectors, hides, masksComputed }: ContainerMasks): string | undefined {
  // Of several, nobody knows which one an SDK takes.
  const token = fields.flatMap(({ name, value }) => (name === 'x-ms-continuation' ? [value] : [])).join('\n');
  if (token === '' || !hides || !masksComputed) return '';
  const forms = decodedForms(token);
  const isClear = forms?.every((form) => !detectors.mayContainText(form) || detectors.scan(form).length === 0) === true;
  return isClear ? forms?.join('\n') : undefined;
}

/** Whether one of these values, which are hidden in the answer itself, stands in its token. Short ones, and most of all short numbers, stand in tokens by chance. */
export function holdsOneOf(forms: string, hidden: ReadonlySet<string>): boolean {
  for (const value of hidden) if (value.length >= (/^[0-9]*$/.test(value) ? 6 : 4) && forms.includes(value)) return true;
  return false;
}
