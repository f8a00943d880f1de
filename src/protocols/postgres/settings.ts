import { GatewayFault } from '../../core/fault.ts';
import type { StartupParameter } from './messages.ts';
import { reasonSetting } from './reason.ts';

/** Settings that a client brings at startup, `options` taken apart, names in lower case; a later one of the same name wins. */
export interface Settings {
  readonly values: ReadonlyMap<string, string>;
  /** Names that need policy's permission (`sql:set`), as the same SET inside the session would. */
  readonly guarded: readonly string[];
  /** `sallyport.reason`, which does not reach the target. */
  readonly reason: string | undefined;
}

/**
 * Reads the startup parameters that are settings. Throws `unsupported` for what would change how statements are read
 * (`client_encoding`, `standard_conforming_strings`) or who runs them (`role`, `session_authorization`).
 */
export function startupSettings(parameters: readonly StartupParameter[]): Settings {
  const values = new Map<string, string>();
  for (const { name, value } of parameters) {
    if (notSettings.has(name) || name.startsWith('_pq_.')) continue;
    if (name === 'options') for (const [setting, text] of parseOptions(value)) set(values, setting, text);
    else set(values, name, value);
  }
  const reason = values.get(reasonSetting);
  values.delete(reasonSetting);
  const guarded = [...values.keys()].filter((name) => !isFreeSetting(name));
  return { values, guarded, reason: reason?.trim() === '' ? undefined : reason };
}

/** True for settings that change only how answers look or how long to wait: no permission needed. */
export function isFreeSetting(name: string): boolean {
  return freeSettings.has(name);
}

/**
 * True where a name without a schema may mean another relation than by default. `values` undefined: not known. Of the default, which is the
 * target's to set, nothing is known either way.
 */
export function redirectsNames(setting: string, values: readonly string[] | undefined): boolean {
  if (setting !== 'search_path') return false;
  return values === undefined || !values.every((value) => usualSchemas.has(value.trim()));
}

/** Settings under the gateway's own name never reach the target. */
export function isGatewaySetting(name: string): boolean {
  return name.startsWith('sallyport.');
}

/** True where changing the setting to this would let a session write at a target that is for reading only. */
export function letsWrite(name: string, values: readonly string[] | undefined): boolean {
  if (!readOnlySettings.has(name)) return false;
  const value = values?.length === 1 ? values[0]!.toLowerCase() : undefined;
  return value === undefined || !trueNames.has(value);
}

export const readOnlySettings: ReadonlySet<string> = new Set(['default_transaction_read_only', 'transaction_read_only']);

/** True where changing the setting to these values would let the server read another statement than the gateway did, or run it as someone else. */
export function isPinnedSetting(name: string, values: readonly string[] | undefined): boolean {
  const value = values?.length === 1 ? (values[0] ?? '').toLowerCase() : undefined;
  switch (name) {
    case 'client_encoding':
    case 'names':
      return value === undefined || !utf8Names.has(encodingName(value));
    case 'standard_conforming_strings':
      return value === undefined || !trueNames.has(value);
    case 'backslash_quote':
    case 'escape_string_warning':
    case 'transform_null_equals':
    case 'array_nulls':
      return true;
    default:
      return false;
  }
}

/** Names are folded before they are looked at: the server takes `Replication` in a packet for a setting, but what goes on is the folded name. */
function set(values: Map<string, string>, name: string, value: string): void {
  const setting = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (packetParameters.has(setting) || !settingName.test(setting))
    throw refused(`${JSON.stringify(name)} is not a setting that a client can bring`, 'Remove it from the connection string.');
  if (setting === 'client_encoding') {
    const encoding = encodingName(value);
    if (!utf8Names.has(encoding) && encoding !== 'sqlascii') throw refused('client_encoding must be UTF8', 'Set PGCLIENTENCODING=UTF8.');
    return;
  }
  if (isGatewaySetting(setting) && setting !== reasonSetting)
    throw refused(`${setting} is not a setting of the gateway`, `There is ${reasonSetting} alone.`);
  if (setting === 'role' || setting === 'session_authorization')
    throw refused(`${setting} cannot be set at startup`, 'Use SET ROLE inside the session, where policy decides.');
  if (isPinnedSetting(setting, [value])) throw refused(`${setting} cannot be changed through the gateway`, 'Leave it at its default.');
  values.set(setting, value);
}

/** As the server reads the name of an encoding: letters and digits alone, in any case. asyncpg sends `'utf-8'`, quotes and all. */
function encodingName(value: string): string {
  return value.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** The manual's "options" parameter: `-c name=value`, `-cname=value`, `--name=value`; a backslash escapes a space or itself. */
function parseOptions(options: string): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  const words = splitWords(options);
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    let assignment: string | undefined;
    if (word === '-c') assignment = words[(at += 1)];
    else if (word.startsWith('-c')) assignment = word.slice(2);
    else if (word.startsWith('--')) assignment = word.slice(2);
    const equals = assignment?.indexOf('=') ?? -1;
    if (assignment === undefined || equals < 1)
      throw refused('only "-c name=value" is understood in options', 'Remove the other server options.');
    const name = assignment.slice(0, equals).replaceAll('-', '_');
    found.push([name, assignment.slice(equals + 1)]);
  }
  return found;
}

function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let inWord = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (' \t\n\r\f\v'.includes(character)) {
      if (inWord) words.push(word);
      word = '';
      inWord = false;
      continue;
    }
    inWord = true;
    if (character === '\\' && at + 1 < text.length) {
      at += 1;
      word += text[at]!;
    } else {
      word += character;
    }
  }
  if (inWord) words.push(word);
  return words;
}

function refused(publicMessage: string, hint: string): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage, hint });
}

const notSettings = new Set(['user', 'database', 'replication']);
/** What has a meaning of its own in a startup packet: as a setting it would become the gateway's own parameter at the target. */
const packetParameters = new Set([...notSettings, 'options']);
/** `name` or `extension.name` ("Customized Options" in the manual). */
const settingName = /^[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)*$/;
const usualSchemas = new Set(['public', '$user', '"$user"', 'pg_catalog', '"$user", public', '"$user",public']);
const utf8Names = new Set(['utf8', 'unicode', 'auto']);
const trueNames = new Set(['on', 'true', 'yes', '1', 't', 'y']);
const freeSettings = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'lock_timeout',
  'search_path',
  'standard_conforming_strings',
  'statement_timeout',
  'timezone',
  'transaction_timeout',
  'xmloption',
]);
