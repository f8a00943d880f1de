import { at, textAt, plain, type KubeObject } from './json.ts';
import { badRequest } from './status.ts';

/** `labelSelector` and `fieldSelector` of a list or watch. */
export function selector(labels: string | null, fields: string | null): (object: KubeObject) => boolean {
  const tests = [...split(labels ?? '').map(labelTest), ...split(fields ?? '').map(fieldTest)];
  return (object) => tests.every((test) => test(object));
}

function split(text: string): string[] {
  return text === '' ? [] : text.split(/,(?![^(]*\))/).map((part) => part.trim());
}

function labelTest(text: string): (object: KubeObject) => boolean {
  const set = /^(\S+) +(in|notin) *\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, name = '', how, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return (object) => {
      const value = at(object, 'metadata', 'labels', name);
      return how === 'in' ? values.includes(plain(value)) && value !== undefined : value === undefined || !values.includes(plain(value));
    };
  }
  const equal = /^([^!=\s]+)\s*(=|==|!=)\s*(\S*)$/.exec(text);
  if (equal !== null) {
    const [, name = '', how, wanted] = equal;
    return (object) => (at(object, 'metadata', 'labels', name) === wanted) === (how !== '!=');
  }
  const missing = /^!\s*(\S+)$/.exec(text);
  if (missing !== null) return (object) => at(object, 'metadata', 'labels', missing[1]!) === undefined;
  if (/^[^\s!=()]+$/.test(text)) return (object) => at(object, 'metadata', 'labels', text) !== undefined;
  throw badRequest(`unable to parse requirement: ${text}`);
}

function fieldTest(text: string): (object: KubeObject) => boolean {
  const equal = /^([\w.]+)(=|==|!=)(.*)$/.exec(text);
  if (equal === null) throw badRequest(`invalid selector: '${text}'; can't understand '${text}'`);
  const [, path = '', how, wanted = ''] = equal;
  return (object) => (textAt(object, ...path.split('.')) === wanted) === (how !== '!=');
}
