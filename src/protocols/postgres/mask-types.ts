/** How a type carries a masked value. Oids of PostgreSQL's `pg_type.dat`; they never change. */
export type TypeForm =
  /** Any text will do. */
  | 'text'
  /** Any text of at most 63 bytes. */
  | 'name'
  /** Text padded with blanks to the declared length. */
  | 'bpchar'
  /** A JSON document. */
  | 'json'
  /** The same, in binary behind a version byte. */
  | 'jsonb'
  /** Text that must stay XML content. */
  | 'xml'
  /** A decimal number. */
  | 'number'
  /** Bytes that may spell text. */
  | 'bytea'
  /** Fixed binary or canonical text that can hold no text of ours: masked as SQL NULL, not searched. */
  | 'fixed'
  /** Arrays, rows, ranges, types made by users: masked as SQL NULL, searched in text format. */
  | 'other';

export function typeForm(oid: number, textTypes: ReadonlySet<number>): TypeForm {
  return FORMS.get(oid) ?? (textTypes.has(oid) ? 'text' : 'other');
}

/** Types that a system catalogue uses for names, numbers and flags: never for a value of a user's table. */
export function carriesMetadataOnly(oid: number): boolean {
  return METADATA.has(oid);
}

const FORMS: ReadonlyMap<number, TypeForm> = new Map<number, TypeForm>([
  [25, 'text'],
  [1043, 'text'],
  [705, 'text'], // unknown
  [2275, 'text'], // cstring
  [1790, 'text'], // refcursor
  [19, 'name'],
  [1042, 'bpchar'],
  [114, 'json'],
  [3802, 'jsonb'],
  [142, 'xml'],
  [20, 'number'], // int8
  [1700, 'number'], // numeric
  [17, 'bytea'],
  ...[
    16, // bool
    18, // "char"
    21, // int2
    23, // int4
    26, // oid
    700, // float4
    701, // float8
    1082, // date
    1083, // time
    1114, // timestamp
    1184, // timestamptz
    1186, // interval
    1266, // timetz
    2950, // uuid
    27, // tid
    28, // xid
    29, // cid
    5069, // xid8
    3220, // pg_lsn
    2205, // regclass
    2206, // regtype
    24, // regproc
    2202, // regprocedure
    4089, // regnamespace
    4096, // regrole
    2278, // void
  ].map((oid) => [oid, 'fixed'] as const),
]);

const METADATA: ReadonlySet<number> = new Set([16, 18, 19, 20, 21, 22, 23, 24, 26, 28, 30, 700, 701, 1184, 2205, 2206, 4089, 4096]);
