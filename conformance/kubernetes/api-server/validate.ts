import { at, isObject, listAt, textAt, type Json, type KubeObject } from './json.ts';
import type { Resource } from './resources.ts';
import { fieldOf, type Schema } from './schema.ts';
import { invalid, type Cause } from './status.ts';

/** Fields that the kind does not have, as `fieldValidation` names them. */
export function unknownFields(value: Json, schema: Schema, path = ''): string[] {
  if (Array.isArray(value)) {
    return schema.kind === 'list' ? value.flatMap((item, index) => unknownFields(item, schema.of, `${path}[${index}]`)) : [];
  }
  if (!isObject(value) || (schema.kind !== 'object' && schema.kind !== 'map')) return [];
  return Object.entries(value).flatMap(([name, of]) => {
    const own = path === '' ? name : `${path}.${name}`;
    const field = fieldOf(schema, name);
    return field === undefined ? [`unknown field "${own}"`] : unknownFields(of, field, own);
  });
}

/** The few rules without which this server could not do its work; the real one has many more. */
export function validate(resource: Resource, object: KubeObject, before: KubeObject | undefined): void {
  const name = textAt(object, 'metadata', 'name');
  const causes: Cause[] = [];
  const nameRule = resource.group === 'rbac.authorization.k8s.io' ? /^[^/%]+$/ : /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
  if (!nameRule.test(name) || name.length > 253)
    causes.push({ reason: 'FieldValueInvalid', field: 'metadata.name', message: `Invalid value: "${name}": ${subdomainRule}` });
  causes.push(...missing(object, resource.schema, ''));
  if (resource.kind === 'Deployment' || resource.kind === 'ReplicaSet') {
    const labels = at(object, 'spec', 'template', 'metadata', 'labels');
    const wanted = at(object, 'spec', 'selector', 'matchLabels');
    if (isObject(wanted) && Object.entries(wanted).some(([label, value]) => at(labels, label) !== value)) {
      causes.push({
        reason: 'FieldValueInvalid',
        field: 'spec.template.metadata.labels',
        message: `Invalid value: ${JSON.stringify(labels ?? {})}: \`selector\` does not match template \`labels\``,
      });
    }
    const replicas = at(object, 'spec', 'replicas');
    if (typeof replicas === 'number' && replicas < 0) {
      causes.push({
        reason: 'FieldValueInvalid',
        field: 'spec.replicas',
        message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
      });
    }
  }
  if (resource.kind === 'Pod') {
    if (listAt(object, 'spec', 'containers').length === 0)
      causes.push({ reason: 'FieldValueRequired', field: 'spec.containers', message: 'Required value' });
    for (const [index, container] of listAt(object, 'spec', 'containers').entries()) {
      if (textAt(container, 'image') === '')
        causes.push({ reason: 'FieldValueRequired', field: `spec.containers[${index}].image`, message: 'Required value' });
    }
  }
  if (
    before !== undefined &&
    at(before, 'immutable') === true &&
    JSON.stringify(at(before, 'data')) !== JSON.stringify(at(object, 'data'))
  ) {
    causes.push({ reason: 'FieldValueForbidden', field: 'data', message: 'Forbidden: field is immutable when `immutable` is set' });
  }
  if (causes.length > 0) throw invalid(resource.kind, resource.group, name, causes);
}

function missing(value: Json, schema: Schema, path: string): Cause[] {
  if (Array.isArray(value)) {
    return schema.kind === 'list' ? value.flatMap((item, index) => missing(item, schema.of, `${path}[${index}]`)) : [];
  }
  if (!isObject(value) || schema.kind !== 'object') return [];
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const own = schema.required
    .filter((name) => value[name] === undefined || value[name] === null)
    .map((name): Cause => ({ reason: 'FieldValueRequired', field: below(name), message: 'Required value' }));
  const deeper = Object.entries(value).flatMap(([name, of]) => missing(of, fieldOf(schema, name) ?? { kind: 'any' }, below(name)));
  return [...own, ...deeper];
}

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
