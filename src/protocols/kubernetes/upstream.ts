import { spelledOut } from '../http/head-names.ts';
import type { HeaderField, ReceivedRequest } from '../request.ts';
import { isDiscovery } from './acts.ts';
import type { AnswerForm } from './mask.ts';
import type { KubernetesMasks, ObjectPlace } from './masks.ts';
import type { RequestInfo } from './request-info.ts';

/** How the answer is to be read. */
export function answerForm({ fields }: ReceivedRequest, info: RequestInfo | undefined, place: ObjectPlace): AnswerForm {
  if (info === undefined) return { kind: 'proxied' };
  if (info.kind === 'path') return isDiscovery(info.path) ? { kind: 'open' } : { kind: 'lines' };
  if (info.subresource === 'proxy') return { kind: 'proxied' };
  if (info.subresource === 'log') return { kind: 'lines' };
  if (info.subresource === 'token') return { kind: 'open' };
  const shape = info.verb === 'watch' ? 'events' : info.verb === 'list' ? 'elements' : 'one';
  return { kind: 'objects', shape, place, asYaml: wantsYaml(fields) };
}

function wantsYaml(fields: readonly HeaderField[]): boolean {
  const accepted = acceptedTypes(fields);
  return (
    accepted.some((type) => /^application\/yaml\b/i.test(type)) && !accepted.some((type) => /^(?:application\/json|\*\/\*)/i.test(type))
  );
}

function acceptedTypes(fields: readonly HeaderField[]): readonly string[] {
  return fields.filter(({ name }) => name === 'accept').flatMap(({ value }) => value.split(',').map((type) => type.trim()));
}

export function upstreamTarget(basePath: string, { target: { path, query } }: ReceivedRequest): string {
  return `${basePath}${path}${query === undefined ? '' : `?${query}`}`;
}

/** Where something is hidden, objects are asked for in JSON, whole and in no coding. */
export function upstreamFields(
  { forwardable, fields }: ReceivedRequest,
  form: AnswerForm,
  masks: KubernetesMasks,
  credentialNames: readonly string[],
): readonly HeaderField[] {
  const hides = masks.hides && form.kind !== 'open';
  const negotiates = hides && form.kind === 'objects';
  const passed = forwardable.filter(
    ({ name }) =>
      name !== 'cookie' &&
      !credentialNames.some((own) => spelledOut(own) === spelledOut(name)) &&
      !(hides && PARTIAL.has(name)) &&
      !(negotiates && name === 'accept'),
  );
  if (!hides) return passed;
  const json = acceptedTypes(fields).filter((type) => /^application\/json(?:\s*;|$)/i.test(type));
  return [
    ...passed,
    { name: 'accept-encoding', value: 'identity' },
    ...(negotiates ? [{ name: 'accept', value: json.length === 0 ? 'application/json' : json.join(', ') }] : []),
  ];
}

const PARTIAL: ReadonlySet<string> = new Set([
  'range',
  'if-range',
  'accept-encoding',
  'if-none-match',
  'if-match',
  'if-modified-since',
  'if-unmodified-since',
]);
