import { Secret } from './secret.ts';
import type { Config } from './types.ts';

/** A configuration as plain data that can be cloned, for another process of the same gateway. Holds the secrets: it goes nowhere else. */
export interface PackedConfig {
  readonly packed: unknown;
}

export function packConfig(config: Config): PackedConfig {
  return { packed: pack(config) };
}

export function unpackConfig({ packed }: PackedConfig): Config {
  return unpack(packed) as Config;
}

function pack(value: unknown): unknown {
  if (value instanceof Secret) return { [marker]: value.reference, value: value.reveal() };
  return mapped(value, pack);
}

function unpack(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, marker)) {
    const { [marker]: reference, value: bytes } = value as { [marker]: string; value: Uint8Array };
    return new Secret(reference, bytes);
  }
  return mapped(value, unpack);
}

function mapped(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]));
}

/** No key of the configuration: target and class names have no such character. */
const marker = '\u0000secret';
