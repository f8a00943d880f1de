import type { Random } from '../random.ts';
import { relations, type Column, type ColumnType, type Relation } from './schema.ts';

/**
 * Random queries over the schema, typed well enough that most of them run. `clean`: nothing sensitive may take part. `chosen`: nothing
 * sensitive may reach a value, but it may decide which rows there are.
 */
export class Queries {
  readonly #random: Random;
  readonly #clean: boolean;
  /** Whole rows, which sensitive columns would be a part of. */
  readonly #wholeRows: boolean;
  /** Nor functions of the database. */
  readonly #noCode: boolean;
  readonly #chosen: boolean;
  /** Inside an expression: what decides about rows there decides about a value. */
  #inValue = 0;
  #names = 0;

  constructor(random: Random, clean: boolean, withoutCode = clean, chosen = false) {
    this.#random = random;
    this.#chosen = chosen;
    this.#clean = clean;
    this.#noCode = withoutCode;
    this.#wholeRows = !clean || (!chosen && random.chance(0.5));
  }

  select(depth = 3): string {
    const { query } = this.#query(depth);
    return query;
  }

  /** A relation that rows can be written to. */
  table(): Relation {
    return this.#random.pick(this.#relations().filter((relation) => relation.kind === 'table'));
  }

  /** An expression over the columns of one relation under its own name. */
  expression(relation: Relation, type: ColumnType, depth = 2): string {
    return this.#value(type, this.#scopeOf(relation, relation.name), depth);
  }

  condition(relation: Relation): string {
    return this.#value('bool', this.#scopeOf(relation, relation.name), 2);
  }

  #relations(): readonly Relation[] {
    if (!this.#clean) return this.#noCode ? relations.filter((relation) => relation.kind !== 'function') : relations;
    return relations.filter((relation) => relation.clean || (!this.#wholeRows && ['people', 'wallets'].includes(relation.name)));
  }

  #scopeOf(relation: Relation, alias: string): Scope {
    const columns = relation.columns.filter((column) => !this.#clean || column.clean);
    return [{ alias, columns, isRow: this.#wholeRows, hidden: relation.columns }];
  }

  /** A condition, or whatever else decides which rows there are. Not by comparing rows with each other: that may spell a value out. */
  #deciding(scope: Scope, make: (scope: Scope) => string): string {
    const stored = scope.filter((item) => item.hidden !== undefined);
    if (!this.#chosen || this.#inValue > 0 || stored.length === 0) return make(scope);
    const item = this.#random.pick(stored);
    return make([{ ...item, columns: item.hidden! }]);
  }

  #query(depth: number): Made {
    const random = this.#random;
    // A constant in a branch says what the branch is chosen by.
    if (depth > 1 && !this.#chosen && random.chance(0.12)) {
      const [left, right] = [this.#plain(depth - 1, ['text']), this.#plain(depth - 1, ['text'])];
      return { query: `${left.query} ${random.pick(['union', 'union all', 'except', 'intersect'])} ${right.query}`, columns: left.columns };
    }
    if (depth > 1 && random.chance(0.15)) return this.#withCte(depth);
    return this.#plain(depth, undefined);
  }

  #withCte(depth: number): Made {
    const random = this.#random;
    const name = this.#name('w');
    const inner = this.#query(depth - 1);
    const renamed = random.chance(0.4) ? inner.columns.map((column, index) => ({ ...column, name: `c${index}` })) : inner.columns;
    const header = renamed === inner.columns ? name : `${name} (${renamed.map((column) => column.name).join(', ')})`;
    const scope: Scope = [{ alias: name, columns: renamed, isRow: true }];
    const outer = this.#selectList(scope, depth - 1, undefined);
    if (random.chance(0.15)) return this.#recursive(name, depth);
    const recursive = random.chance(0.1);
    const kind = random.pick(['', '', 'materialized ', 'not materialized ']);
    const body = recursive ? `(${inner.query}) union (select * from ${name} where false)` : inner.query;
    return {
      query: `with ${recursive ? 'recursive ' : ''}${header} as ${kind}(${body}) select ${outer.list} from ${name}`,
      columns: outer.columns,
    };
  }

  /** A recursion that moves values from column to column. */
  #recursive(name: string, depth: number): Made {
    const inner = this.#plain(depth - 1, ['text', 'text', 'text']).query;
    const columns = ['a', 'b', 'd'].map((each) => column(each, 'text'));
    const moved = this.#random.pick(['b, d, a', 'd, a, b', "b, upper(a), ''", "a || b, '', d"]);
    const scope: Scope = [{ alias: name, columns, isRow: true }];
    const outer = this.#selectList(scope, depth - 1, undefined);
    return {
      query: `with recursive ${name}(n, a, b, d) as (select 1, s.* from ${inner} s union all select n + 1, ${moved} from ${name} where n < 4) select ${outer.list} from ${name}`,
      columns: outer.columns,
    };
  }

  #plain(depth: number, types: readonly ColumnType[] | undefined): Made {
    const random = this.#random;
    const { from, scope } = this.#from(depth);
    if (types === undefined && random.chance(0.12)) return this.#grouped(from, scope, depth);
    const { list, columns } = this.#selectList(scope, depth, types);
    const distinct = random.chance(0.1) ? `distinct on (${this.#value('text', scope, 1)}) ` : random.chance(0.1) ? 'distinct ' : '';
    const where = random.chance(this.#chosen ? 0.8 : 0.4)
      ? ` where ${this.#deciding(scope, (wider) => this.#value('bool', wider, depth - 1))}`
      : '';
    const looked = !this.#clean || this.#chosen ? this.#lookUp(scope, where) : where;
    const order =
      distinct === '' && random.chance(0.25)
        ? ` order by ${this.#deciding(scope, (wider) => this.#any(wider, 1))} ${random.pick(['', 'desc', 'nulls first'])}`
        : '';
    const limit = random.chance(0.15) ? ` limit ${random.between(1, 4)}` : '';
    const query = `select ${distinct}${list} from ${from}${looked}${order}${limit}`;
    return { query: types === undefined ? query : `(${query})`, columns };
  }

  #grouped(from: string, scope: Scope, depth: number): Made {
    const random = this.#random;
    const keys = Array.from({ length: random.between(1, 2) }, () => this.#leaf('text', scope));
    const grouping = random.pick([
      (k: string) => k,
      (k: string) => `rollup (${k})`,
      (k: string) => `cube (${k})`,
      (k: string) => `grouping sets ((${k}), ())`,
    ]);
    const aggregate = this.#expand(random.pick(aggregates), scope, depth - 1);
    const having = random.chance(0.2) ? ` having count(*) > 0 and ${this.#expand('max({text}) <> {text-constant}', scope, 1)}` : '';
    return {
      query: `select ${keys.map((key, index) => `${key} as k${index}`).join(', ')}, ${aggregate} as total from ${from} group by ${grouping(keys.join(', '))}${having}`,
      columns: [...keys.map((_, index) => column(`k${index}`, 'text')), column('total', 'text')],
    };
  }

  #selectList(scope: Scope, depth: number, types: readonly ColumnType[] | undefined): { list: string; columns: readonly Column[] } {
    const random = this.#random;
    const wanted = types ?? Array.from({ length: random.between(1, 3) }, () => random.pick(this.#chosen ? provenTypes : allTypes));
    const items: string[] = [];
    const columns: Column[] = [];
    for (const type of wanted) {
      const name = this.#name('o');
      items.push(`${this.#value(type, scope, depth - 1)} as ${name}`);
      columns.push(column(name, type));
    }
    if (types === undefined && random.chance(0.15) && scope.every((item) => item.isRow))
      items.push(random.pick(['*', `${random.pick(scope).alias}.*`]));
    else if (types === undefined && random.chance(0.1) && scope.every((item) => item.isRow)) items.push(random.pick(scope).alias);
    return { list: items.join(', '), columns };
  }

  #from(depth: number): { from: string; scope: Scope } {
    const random = this.#random;
    const first = this.#fromItem(depth);
    if (depth < 2 || random.chance(0.6)) return first;
    if (random.chance(0.35)) {
      const alias = this.#name('l');
      const inner = this.#expand(random.pick(this.#noCode ? plainLaterals : laterals), first.scope, depth - 1);
      return {
        from: `${first.from}, lateral ${inner} as ${alias}(v)`,
        scope: [...first.scope, { alias, columns: [column('v', 'text')], isRow: true }],
      };
    }
    const second = this.#fromItem(depth - 1);
    const scope = [...first.scope, ...second.scope];
    const both = [first, second].every((side) => side.scope.length === 1 && side.scope[0]!.columns.some(({ name }) => name === 'id'));
    if (both && random.chance(0.3)) {
      const [a, b] = [first.scope[0]!, second.scope[0]!];
      const merged = { alias: this.#name('u'), columns: [column('id', 'int')], isRow: true };
      return {
        from: `${first.from} ${random.pick(['join', 'left join', 'full join'])} ${second.from} using (id) as ${merged.alias}`,
        scope: [a, b, merged],
      };
    }
    if (!this.#clean && random.chance(0.15)) {
      const columns = scope.flatMap((item) => item.columns).map((old, index) => ({ ...old, name: `j${index}` }));
      const alias = this.#name('j');
      return {
        from: `(${first.from} join ${second.from} on true) as ${alias}(${columns.map(({ name }) => name).join(', ')})`,
        scope: [{ alias, columns, isRow: true }],
      };
    }
    const join = random.pick(['join', 'left join', 'full join', 'cross join', 'natural left join']);
    if (join === 'natural left join' && this.#clean) return first;
    const on =
      join === 'cross join' || join === 'natural left join'
        ? ''
        : join === 'full join'
          ? ' on true'
          : ` on ${this.#deciding(scope, (wider) => this.#value('bool', wider, 1))}`;
    return { from: `${first.from} ${join} ${second.from}${on}`, scope };
  }

  /** By pseudonym (`lookups.ts`), beside the condition that is there. */
  #lookUp(scope: Scope, where: string): string {
    const random = this.#random;
    const [item] = scope.filter(({ columns, hidden }) => (hidden ?? columns).some(({ name }) => name === 'code'));
    if (item === undefined || (this.#chosen && this.#inValue > 0) || !random.chance(0.4)) return where;
    const [one, other] = [`@code${random.below(6)}@`, `@code${random.below(6)}@`];
    const column = `${item.alias}.code`;
    const plain = [
      `${column} = '${one}'`,
      `'${one}' = ${column}`,
      `${column} <> '${one}'`,
      `${column} is not distinct from '${one}'::text`,
      `${column} in ('${one}', '${other}')`,
      `${column} not in ('${one}')`,
      `${column} = any ('{${one},${other}}')`,
      `${column} = any (array['${one}', '${other}'])`,
    ];
    const crooked = [
      `${column} in ('${one}', ${this.#leaf('text', scope)})`,
      `${column} = '${one}' or upper(${column}) = '${one}'`,
      `(${column} = '${one}') is not null or '${one}'::regclass is null`,
      `${column} = '${one}' and '${one}'::integer = 1`,
      `case when ${column} = '${one}' then '${one}'::integer = 1 end`,
    ];
    const condition = random.pick(this.#chosen || random.chance(0.7) ? plain : crooked);
    return where === '' ? ` where ${condition}` : `${where} ${random.pick(['and', 'or'])} (${condition})`;
  }

  #fromItem(depth: number): { from: string; scope: Scope } {
    const random = this.#random;
    if (depth > 1 && random.chance(0.2)) {
      const inner = this.#query(depth - 1);
      const alias = this.#name('s');
      return { from: `(${inner.query}) as ${alias}`, scope: [{ alias, columns: inner.columns, isRow: true }] };
    }
    if (!this.#clean && random.chance(0.05)) {
      const [source, columns] = random.pick(systemSources);
      const alias = this.#name('y');
      return {
        from: `${source} as ${alias}`,
        scope: [{ alias, columns: columns.split(' ').map((name) => column(name, 'text')), isRow: true }],
      };
    }
    if (random.chance(0.06)) {
      const alias = this.#name('v');
      const rows = Array.from({ length: 2 }, () => `(${this.#constant('text')}, ${random.pick(constants.int)})`);
      return {
        from: `(values ${rows.join(', ')}) as ${alias}(x, y)`,
        scope: [{ alias, columns: [column('x', 'text'), column('y', 'int')], isRow: true }],
      };
    }
    const relation = random.pick(this.#relations());
    const alias = this.#name('t');
    const only = relation.kind === 'table' && random.chance(0.05) ? 'only ' : '';
    const sample = relation.kind === 'table' && !this.#clean && random.chance(0.04) ? ' tablesample bernoulli (90)' : '';
    if (!this.#clean && random.chance(0.08)) {
      const columns = relation.columns.map((old, index) => ({ ...old, name: `r${index}` }));
      return {
        from: `${only}${relation.name} as ${alias}(${columns.map(({ name }) => name).join(', ')})${sample}`,
        scope: [{ alias, columns, isRow: true }],
      };
    }
    return { from: `${only}${relation.name} as ${alias}${sample}`, scope: this.#scopeOf(relation, alias) };
  }

  #any(scope: Scope, depth: number): string {
    return this.#value(this.#random.pick(this.#chosen ? provenTypes : allTypes), scope, depth);
  }

  #value(type: ColumnType, scope: Scope, depth: number): string {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.25)) return this.#leaf(type, scope);
    const templates = (this.#chosen ? provenTemplates : this.#clean ? cleanTemplates : this.#noCode ? plainTemplates : templatesOf)[type];
    return this.#expand(random.pick(templates), scope, depth - 1);
  }

  #leaf(type: ColumnType, scope: Scope): string {
    const random = this.#random;
    const fitting = scope.flatMap(({ alias, columns }) =>
      columns.filter((each) => each.type === type).map(({ name }) => [alias, name] as const),
    );
    if (fitting.length > 0 && !random.chance(0.1)) {
      const [alias, name] = random.pick(fitting);
      return random.pick([`${alias}.${name}`, `${alias}.${name}`, `(${alias}).${name}`, ...(this.#clean ? [] : [`${name}(${alias})`])]);
    }
    const others = scope.flatMap(({ alias, columns }) => columns.map(({ name }) => `${alias}.${name}`));
    if (others.length > 0 && type === 'text') return `${random.pick(others)}::text`;
    return this.#constant(type);
  }

  /** A pseudonym only where answers are not compared: it is compared with its column as well. */
  #constant(type: ColumnType): string {
    const all = constants[type];
    return this.#random.pick(this.#clean ? all.filter((each) => !each.includes('@')) : all);
  }

  #expand(template: string, scope: Scope, depth: number): string {
    return template.replace(/\{([a-z-]+)\}/g, (_, what: string) => this.#hole(what, scope, depth));
  }

  #hole(what: string, scope: Scope, depth: number): string {
    const random = this.#random;
    switch (what) {
      case 'any':
        return this.#any(scope, depth);
      case 'row':
        return scope.some((item) => item.isRow) ? random.pick(scope.filter((item) => item.isRow)).alias : 'row(1)';
      case 'text-query':
        return this.#inside(() => (depth <= 0 ? this.#simpleQuery() : this.#plain(depth - 1, ['text']).query.slice(1, -1)));
      case 'correlated':
        return this.#value('text', scope, depth);
      case 'text-constant':
        return this.#constant('text');
      case 'n':
        return String(random.between(1, 12));
      default:
        return what in constants ? this.#value(what as ColumnType, scope, depth) : `{${what}}`;
    }
  }

  #inside(make: () => string): string {
    this.#inValue += 1;
    try {
      return make();
    } finally {
      this.#inValue -= 1;
    }
  }

  #simpleQuery(): string {
    const relation = this.#random.pick(this.#relations());
    return `select ${this.#leaf('text', this.#scopeOf(relation, 'q'))} from ${relation.name} as q limit 1`;
  }

  #name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }
}

interface Made {
  readonly query: string;
  readonly columns: readonly Column[];
}

type Scope = readonly {
  readonly alias: string;
  readonly columns: readonly Column[];
  readonly isRow: boolean;
  /** With those that only conditions may name. */
  readonly hidden?: readonly Column[];
}[];

function column(name: string, type: ColumnType): Column {
  return { name, type, clean: true };
}

function lines(text: string): readonly string[] {
  return text.trim().split('\n');
}

const constants: Readonly<Record<ColumnType, readonly string[]>> = {
  text: ["'plain'", "'a'", 'current_user', "''", "'@seen1@'"],
  int: ['0', '1', '2', '3'],
  num: ['1.5', '0'],
  date: ["date '2026-01-05'"],
  json: [`'{"a": 1}'::jsonb`, `'[1, "b"]'::jsonb`],
  tarr: ["array['x', 'y']", "'{}'::text[]"],
  bytea: ["'\\x6162'::bytea"],
  uuid: ["'00000000-0000-0000-0000-000000000001'::uuid"],
  comp: ["row('a', 'b')::address"],
  bool: ['true', 'false'],
};

const templatesOf: Readonly<Record<ColumnType, readonly string[]>> = {
  text: lines(`
upper({text})
reverse({text})
left({text}, {n})
substr({text}, {n}, {n})
{text} || {text}
concat({any}, '/', {text})
concat_ws('-', {text}, {any})
format('%s %L %I', {text}, {any}, {text})
coalesce({text}, {text})
nullif({text}, {text-constant})
case when {bool} then {text} else {text} end
greatest({text}, {text})
({text-query})
(select {correlated} limit 1)
{any}::text
cast({any} as text)
{text}::varchar(20)
{text}::name::text
translate({text}, 'abc', 'xyz')
replace({text}, 'a', 'b')
regexp_replace({text}, '(.)(.)', '\\2\\1', 'g')
(regexp_match({text}, '(.*)'))[1]
(regexp_split_to_array({text}, '-'))[1]
regexp_substr({text}, '[a-z]+')
overlay({text} placing 'X' from 3 for 1)
trim(both 'q' from {text})
lpad({text}, 40, '.')
repeat({text}, 2)
split_part({text}, '-', {n})
string_agg({text}, ',') over ()
first_value({text}) over (order by {any})
lag({text}) over ()
nth_value({text}, 1) over (partition by {any})
encode({text}::bytea, 'hex')
encode({text}::bytea, 'base64')
encode({text}::bytea, 'escape')
encode(convert_to({text}, 'UTF8'), 'hex')
md5({text})
quote_literal({any})
quote_ident({text})
to_json({any})::text
row_to_json({row})::text
to_jsonb({row}) ->> 'secret'
{json} ->> 'secret'
{json} #>> '{deep,secret}'
jsonb_pretty({json})
json_build_object('a', {any})::text
{row}::text
row({any}, {any})::text
array_to_string({tarr}, ',')
({tarr})[1]
({comp}).street
text({comp})
to_char({num}, '999999999999D99')
to_char({date}, 'YYYY-MM-DD')
query_to_xml('select secret from people', true, false, '')::text
xmlelement(name a, {text})::text
xmlforest({text} as b)::text
xmlserialize(content xmlelement(name z, xmlattributes({text} as q)) as text)
to_tsvector('simple', {text})::text
array_agg({text}) over ()::text
f_same({text})
f_secret({int})
current_setting('fuzz.kept', true)
set_config('fuzz.kept', {text}, false)
set_config('application_name', {text}, false)
json_value(to_jsonb({row}), '$.secret')
json_query(to_jsonb({row}), '$.*' with wrapper)::text
json_serialize(json_object('k': {text}))
unistr({text})
normalize({text})
initcap({text})
chr(ascii({text}))
({any}) is null || {text}
collation for ({text}) || {text}
{text} collate "C"
any_value({text}) over ()
lower(array[{text}, {text}]::text)
textcat({text}, {text})
substring({text} from '(.*)-')
to_jsonb({any}) #>> '{}'
(array[{text}])[1:2]::text
(jsonb_build_array({any}) -> 0)::text
string_to_array({text}, '-')::text
to_ascii(convert_from({text}::bytea, 'LATIN1'))
strpos({text}, 'z')::text || right({text}, 9)
{text} operator(pg_catalog.||) 'x'
lower({text}) || case {text} when {text} then {text} end
`),
  int: lines(`
length({text})
{int} + {n}
ascii({text})
{text}::integer
strpos({text}, {text})
coalesce({int}, {n})
count(*) over ()
row_number() over (order by {any})
{num}::bigint
extract(year from {date})::integer
f_tell({int})
f_fail({int})
({json} ->> 'n')::integer
cardinality({tarr})
max({int}) over ()
hashtext({text})
1 / nullif({int}, {int})
`),
  num: lines(`
{num} * 1
{int}::numeric / 3
round({num}, 1)
sum({num}) over ()
abs({num})
{text}::numeric
{num}::float8
greatest({num}, {int})
to_number({text}, '9999999999')
avg({int}) over (partition by {any})
{num} + {int}
`),
  date: lines(`
{date} + {n}
{date} - interval '1 day'
date_trunc('month', {date})
{text}::date
coalesce({date}, current_date)
max({date}) over ()
to_date({text}, 'YYYY-MM-DD')
`),
  json: lines(`
to_jsonb({any})
to_jsonb({row})
{json} || to_jsonb({row})
{json} -> 'deep'
jsonb_build_object({text}, {any})
jsonb_agg({any}) over ()
{json} - 'ssn'
jsonb_set({json}, '{a}', to_jsonb({text}))
jsonb_path_query_first({json}, '$.**.secret')
jsonb_path_query_array({json}, 'strict $.*')
jsonb_strip_nulls({json})
{json}['deep']
{json}['ssn']
{text}::jsonb
json_build_array({any})::jsonb
jsonb_object(array[{text}, {text}])
to_jsonb({tarr})
json_scalar({text})::jsonb
jsonb_object_agg({text}, {any}) over ()
`),
  tarr: lines(`
array[{text}, {text}]
{tarr} || {text}
array_agg({text}) over ()
array(select {correlated})
array({text-query})
string_to_array({text}, '')
regexp_split_to_array({text}, '-')
array_remove({tarr}, {text})
({tarr})[1:1]
array_replace({tarr}, {text}, {text})
parse_ident({text})
tsvector_to_array(to_tsvector('simple', {text}))
`),
  bytea: lines(`
{text}::bytea
{bytea} || {bytea}
decode(encode({text}::bytea, 'hex'), 'hex')
sha256({bytea})
convert_to({text}, 'UTF8')
reverse({bytea})
substr({bytea}, 2)
textsend({text})
record_send({row})
jsonb_send({json})
`),
  uuid: lines(`
{uuid}
md5({text})::uuid
{text}::uuid
coalesce({uuid}, gen_random_uuid())
`),
  comp: lines(`
row({text}, {text})::address
coalesce({comp}, row('a', 'b')::address)
`),
  bool: lines(`
{text} = {text}
{text} like 'a%'
{text} > {text-constant}
{int} < {n}
{text} is not null
{bool} or {bool}
not {bool}
exists (select 1 from lookup where label = {text})
{text} in ({text-query})
{text} = any ({tarr})
{json} ? 'ssn'
{json} @> '{"plain": "p1"}'
{date} < current_date
{text} ~ '^[a-z]'
{row} is not null
({text}, {int}) = ({text}, {int})
`),
};

/** Without functions of the database: what they read by themselves and someone stores is not known (policy: `sql:call-function`). */
const plainTemplates = without(/f_/);

/** Without what differs from call to call, reaches other tables or is on none of the gateway's lists either. */
const cleanTemplates = without(
  /query_to_xml|f_|random|set_config|current_setting|hashtext|pg_input|reverse\(\{bytea|send\(|textcat|collation for/,
);

/** Nor types of the database: what their input functions do is not known. */
const provenTemplates = without(
  /query_to_xml|f_|random|set_config|current_setting|hashtext|pg_input|reverse\(\{bytea|send\(|textcat|collation for|address|\{comp\}|\{any\}/,
);

function without(what: RegExp): Readonly<Record<ColumnType, readonly string[]>> {
  const entries = Object.entries(templatesOf).map(([type, templates]) => {
    const left = templates.filter((template) => !what.test(template));
    return [type, left.length > 0 ? left : constants[type as ColumnType]];
  });
  return Object.fromEntries(entries) as Readonly<Record<ColumnType, readonly string[]>>;
}

const allTypes = Object.keys(constants) as ColumnType[];

/** Without one that is made in the database: what its input function does is not known. */
const provenTypes = allTypes.filter((type) => type !== 'comp');

const aggregates = lines(`
string_agg({text}, ',')
array_agg({any})
json_agg({row})
jsonb_object_agg(coalesce({text}, 'k'), {any})
max({text})
min({date})
sum({num})
count(distinct {any})
xmlagg(xmlelement(name a, {text}))
percentile_disc(0.5) within group (order by {text})
mode() within group (order by {any})
any_value({text})
range_agg(daterange({date}, null))
json_arrayagg({any})
json_objectagg({text-constant}: {any})
string_agg({text}, ',') filter (where {bool})
bool_or({bool})
array_agg({tarr})
corr({num}, {num})
`);

const laterals = lines(`
(select {correlated})
unnest({tarr})
jsonb_each_text(to_jsonb({row}))
jsonb_array_elements_text(jsonb_build_array({any}))
regexp_split_to_table({text}, '-')
string_to_table({text}, '-')
jsonb_object_keys(to_jsonb({row}))
jsonb_path_query({json}, '$.**')
generate_series(1, {n})
(values ({text}), ({text}))
json_table(to_jsonb({row}), '$.*' columns (x text path '$'))
xmltable('/a' passing xmlelement(name a, {text}) columns b text path '.')
ts_debug('simple', {text})
(select ts_stat.word from ts_stat('select to_tsvector(''simple'', secret) from people'))
jsonb_to_record(to_jsonb({row})) as zz(secret text)
regexp_matches({text}, '(.*)')
rows from (string_to_table({text}, '-'), generate_series(1, 2)) with ordinality
(select {correlated} union all select {correlated})
(select max({text}) over () from (select 1) one)
f_same({text})
pg_input_error_info({text}, 'integer')
`);

const plainLaterals = laterals.filter((template) => !/f_same|ts_stat|pg_input/.test(template));

/** System views that may repeat values or texts. */
const systemSources: readonly (readonly [string, string])[] = [
  ['pg_stats', 'tablename attname most_common_vals histogram_bounds'],
  ['pg_stats_ext', 'tablename most_common_vals'],
  ['pg_stats_ext_exprs', 'tablename expr most_common_vals'],
  ['pg_statistic', 'starelid stavalues1 stavalues2'],
  ['pg_statistic_ext_data', 'stxdmcv'],
  ['pg_stat_activity', 'query application_name'],
  ['pg_stat_get_activity(null)', 'query application_name'],
  ['pg_prepared_statements', 'name statement'],
  ['pg_cursors', 'name statement'],
  ['pg_settings', 'name setting'],
  ['pg_mcv_list_items((select stxdmcv from pg_statistic_ext_data limit 1))', 'values nulls'],
  ["pg_get_viewdef('v_people'::regclass)", 'pg_get_viewdef'],
  ['pg_class', 'relname reloptions relpartbound'],
  ['information_schema.columns', 'table_name column_default'],
];
