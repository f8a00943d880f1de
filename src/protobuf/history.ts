import { assembled, type Draft } from './link.ts';
import type { Field, MessageType, Schema } from './schema.ts';

/** `next`, in which what `previous` says of a field still holds: its names and its data classes. Nothing is shown because a target renamed it. */
export function schemaWithHistory(previous: Schema, next: Schema): Schema {
  const types = next.types.map((type): [MessageType, Map<number, Field>] => [type, new Map(type.fields)]);
  const renewed = new Map(types.map(([type, fields]): [string, Draft] => [type.name, { ...type, fields }]));
  for (const type of renewed.values()) {
    const before = previous.type(type.name);
    for (const field of type.fields.values()) {
      const known = before?.fields.get(field.number);
      type.fields.set(field.number, {
        ...field,
        names: [...new Set([...field.names, ...(known?.names ?? [])])],
        classes: [...new Set([...field.classes, ...(known?.classes ?? [])])],
        message: field.message === undefined ? undefined : renewed.get(field.message.name),
      });
    }
  }
  const methods = next.methods.map((method) => ({
    ...method,
    request: renewed.get(method.request.name)!,
    response: renewed.get(method.response.name)!,
  }));
  return assembled(next.services, methods, renewed);
}

/**
 * What is different in another reading of the same target's schema: `- ` and `+ ` before lines that only the earlier or only the later one has. Of
 * readings as they came, not of one with a history.
 */
export function changesBetween(earlier: Schema, later: Schema): readonly string[] {
  const before = new Set(earlier.lines);
  const after = new Set(later.lines);
  return [
    ...earlier.lines.filter((line) => !after.has(line)).map((line) => `- ${line}`),
    ...later.lines.filter((line) => !before.has(line)).map((line) => `+ ${line}`),
  ];
}
