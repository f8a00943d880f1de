/** A reading's queries; `since` is the xmin of the snapshot of the reading before it over the same connection, undefined for the first one. */
export function catalogueQueries(since: string | undefined) {
  return {
    snapshot: 'select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::pg_catalog.text',
    relations: `
select c.oid, n.nspname, c.relname, c.relkind,
       c.relrowsecurity or exists (select from pg_catalog.pg_attribute a join pg_catalog.pg_cast k on k.castsource = a.atttypid
         where a.attrelid = c.oid and not a.attisdropped and k.castfunc >= 16384),
       c.relhasrules and exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.ev_type <> '1'),
       c.relkind = 'v' and c.relhastriggers
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ${kinds}`,
    /** All columns of every relation of which anything is new; one row without a column where it has none. */
    columns: `${since === undefined ? '' : changedRelations(since)}
select c.oid, a.attnum, a.attname, case t.typtype when 'd' then t.typbasetype else t.oid end
  from pg_catalog.pg_class c
  left join (pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid)
    on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relkind in ${kinds}${since === undefined ? '' : ' and c.oid in (select oid from changed)'}`,
    /** Texts follow the names of everything in them, so all of them are read each time; what the columns are stays until the rule is another. */
    views: `
select c.oid, pg_catalog.pg_get_viewdef(c.oid), ${since === undefined ? 'true' : `w.oid is null or ${isNew('w', since)}`}
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_rewrite w on w.ev_class = c.oid and w.ev_type = '1'
 where c.relkind in ('v','m') and n.nspname not in ('pg_catalog', 'information_schema')`,
    inheritance: 'select inhrelid, inhparent from pg_catalog.pg_inherits',
    generated: `
select a.attrelid, a.attnum, d.refobjsubid
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
   and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = a.attrelid and d.refobjsubid > 0
 where a.attgenerated <> '' and d.refobjsubid <> a.attnum`,
    userFunctions: `
select distinct p.proname from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
 where n.nspname not in ('pg_catalog', 'information_schema')`,
    userOperators: `
select distinct o.oprname from pg_catalog.pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
 where n.nspname <> 'pg_catalog'`,
    textTypes: "select oid from pg_catalog.pg_type where typcategory = 'S' and typtype = 'b' and oid >= 16384",
  };
}

/** An oid that is used again comes with a new row in `pg_class`. */
function changedRelations(since: string): string {
  return `with changed as (
  select a.attrelid as oid from pg_catalog.pg_attribute a where ${isNew('a', since)}
  union select c.oid from pg_catalog.pg_class c where ${isNew('c', since)})`;
}

/**
 * Its row was written by a transaction that the snapshot before could not see: every one from the snapshot's xmin on (manual, "System
 * Columns", "Transaction ID and Snapshot Information Functions"). Some below may be taken for new as well, which does no harm. Ages are
 * compared, not numbers, because transaction ids wrap; a connection does not last long enough for one to come back.
 */
function isNew(table: string, since: string): string {
  return `pg_catalog.age(${table}.xmin) <= (select pg_catalog.age('${since}'::pg_catalog.xid8::pg_catalog.xid))`;
}

const kinds = "('r','p','v','m','f','c')";
