/** One look at everything that a statement may change, from inside its own transaction. Needs no privilege beyond reading the catalogues. */
export const observation = `
select pg_catalog.json_build_object(
  'rows', (select pg_catalog.json_object_agg(
             case when s.schemaname = 'pg_catalog' then '' else s.schemaname || '.' end || s.relname, pg_catalog.json_build_array(s.n_tup_ins, s.n_tup_upd, s.n_tup_del))
           from pg_catalog.pg_stat_xact_all_tables s where s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0),
  'sequences', (select pg_catalog.json_object_agg(c.relname || ' ' || c.relnamespace, pg_catalog.pg_sequence_last_value(q.seqrelid))
                from pg_catalog.pg_sequence q join pg_catalog.pg_class c on c.oid = q.seqrelid),
  'settings', (select pg_catalog.json_object_agg(g.name, g.setting) from pg_catalog.pg_settings g),
  'custom', pg_catalog.current_setting('fuzz.a', true),
  'who', current_user || '/' || session_user,
  'channels', (select pg_catalog.json_agg(c) from pg_catalog.pg_listening_channels() c),
  'locks', (select pg_catalog.json_agg(distinct l.locktype || ' ' || l.mode || ' ' || coalesce(l.relation::pg_catalog.text, l.objid::pg_catalog.text, ''))
            from pg_catalog.pg_locks l where l.pid = pg_catalog.pg_backend_pid() and l.mode <> 'AccessShareLock' and l.locktype not in ('virtualxid', 'transactionid', 'spectoken')),
  'prepared', (select pg_catalog.json_agg(p.name order by p.name) from pg_catalog.pg_prepared_statements p),
  'cursors', (select pg_catalog.json_agg(c.name order by c.name) from pg_catalog.pg_cursors c where c.name <> ''),
  'functions', (select pg_catalog.json_object_agg(f.funcname, f.calls) from pg_catalog.pg_stat_xact_user_functions f
                where f.schemaname not in ('pg_catalog', 'information_schema')),
  'written', pg_catalog.pg_current_xact_id_if_assigned() is not null,
  'transaction', extract(epoch from pg_catalog.now())::pg_catalog.text)::pg_catalog.text as seen`;

export interface Seen {
  readonly rows: Readonly<Record<string, readonly [number, number, number]>> | null;
  readonly sequences: Readonly<Record<string, number | null>> | null;
  readonly settings: Readonly<Record<string, string>>;
  readonly custom: string | null;
  readonly who: string;
  readonly channels: readonly string[] | null;
  readonly locks: readonly string[] | null;
  readonly prepared: readonly string[] | null;
  readonly cursors: readonly string[] | null;
  readonly functions: Readonly<Record<string, number>> | null;
  readonly written: boolean;
  /** When it began. */
  readonly transaction: string;
}

export type Observed =
  | { readonly kind: 'rows'; readonly relation: string; readonly inserted: boolean; readonly updated: boolean; readonly deleted: boolean }
  | { readonly kind: 'sequence' | 'setting' | 'function' | 'lock'; readonly name: string }
  | { readonly kind: 'identity' | 'channel' | 'prepared' | 'cursor' | 'transaction' };

/** What is different. */
export function changes(before: Seen, after: Seen): Observed[] {
  const found: Observed[] = [];
  for (const [relation, now] of Object.entries(after.rows ?? {})) {
    const was = before.rows?.[relation] ?? [0, 0, 0];
    const [inserted, updated, deleted] = now.map((count, index) => count > was[index]!);
    if (inserted || updated || deleted) found.push({ kind: 'rows', relation, inserted: inserted!, updated: updated!, deleted: deleted! });
  }
  for (const [name, value] of Object.entries(after.sequences ?? {}))
    if (value !== (before.sequences?.[name] ?? null)) found.push({ kind: 'sequence', name });
  for (const [name, value] of Object.entries(after.settings)) if (before.settings[name] !== value) found.push({ kind: 'setting', name });
  if (after.custom !== before.custom) found.push({ kind: 'setting', name: 'fuzz.a' });
  for (const [name, calls] of Object.entries(after.functions ?? {}))
    if (calls > (before.functions?.[name] ?? 0)) found.push({ kind: 'function', name });
  const held = new Set(before.locks);
  for (const name of after.locks ?? []) if (!held.has(name)) found.push({ kind: 'lock', name });
  if (after.who !== before.who) found.push({ kind: 'identity' });
  if (differ(before.channels, after.channels)) found.push({ kind: 'channel' });
  if (differ(before.prepared, after.prepared)) found.push({ kind: 'prepared' });
  if (differ(before.cursors, after.cursors)) found.push({ kind: 'cursor' });
  if (after.written && !before.written) found.push({ kind: 'transaction' });
  return found;
}

function differ(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}
