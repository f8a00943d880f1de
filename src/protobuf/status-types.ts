import type { FieldDescription, FileDescription } from './descriptor.ts';

/**
 * What the details of an error are made of, which a target's own descriptors seldom have: `google.rpc.Status`, the standard details
 * (googleapis: google/rpc/status.proto, error_details.proto) and what they refer to.
 */
export const statusTypes: FileDescription = {
  name: 'google.rpc status and its details',
  dependencies: [],
  enums: [],
  services: [],
  extensions: [],
  messages: [
    message('google.protobuf.Any', 'type_url:string', 'value:bytes'),
    message('google.protobuf.Duration', 'seconds:int64', 'nanos:int32'),
    message('google.rpc.Status', 'code:int32', 'message:string', '*details:google.protobuf.Any'),
    map('google.rpc.ErrorInfo.MetadataEntry'),
    message('google.rpc.ErrorInfo', 'reason:string', 'domain:string', '*metadata:google.rpc.ErrorInfo.MetadataEntry'),
    message('google.rpc.RetryInfo', 'retry_delay:google.protobuf.Duration'),
    message('google.rpc.DebugInfo', '*stack_entries:string', 'detail:string'),
    message('google.rpc.QuotaFailure.Violation', 'subject:string', 'description:string'),
    message('google.rpc.QuotaFailure', '*violations:google.rpc.QuotaFailure.Violation'),
    message('google.rpc.PreconditionFailure.Violation', 'type:string', 'subject:string', 'description:string'),
    message('google.rpc.PreconditionFailure', '*violations:google.rpc.PreconditionFailure.Violation'),
    message('google.rpc.BadRequest.FieldViolation', 'field:string', 'description:string'),
    message('google.rpc.BadRequest', '*field_violations:google.rpc.BadRequest.FieldViolation'),
    message('google.rpc.RequestInfo', 'request_id:string', 'serving_data:string'),
    message('google.rpc.ResourceInfo', 'resource_type:string', 'resource_name:string', 'owner:string', 'description:string'),
    message('google.rpc.Help.Link', 'description:string', 'url:string'),
    message('google.rpc.Help', '*links:google.rpc.Help.Link'),
    message('google.rpc.LocalizedMessage', 'locale:string', 'message:string'),
  ],
};

/** Fields by number from 1, as `name:type`; one that begins with `*` is repeated. */
function message(name: string, ...fields: readonly string[]): FileDescription['messages'][number] {
  return { name, isMapEntry: false, fields: fields.map((text, index) => fieldOf(text, index + 1)) };
}

function map(name: string): FileDescription['messages'][number] {
  return { ...message(name, 'key:string', 'value:string'), isMapEntry: true };
}

function fieldOf(text: string, number: number): FieldDescription {
  const [name = '', type = ''] = text.replace('*', '').split(':');
  const kind = type === 'string' || type === 'bytes' || type === 'int32' || type === 'int64' ? type : 'message';
  return {
    name,
    jsonName: name.replaceAll(/_(.)/g, (_, next: string) => next.toUpperCase()),
    number,
    kind,
    isRepeated: text.startsWith('*'),
    isGroup: false,
    typeName: kind === 'message' ? `.${type}` : '',
    scope: '',
    extendee: '',
    oneof: undefined,
    options: new Uint8Array(0),
  };
}
