/** How a value of a data class is shown to those who may not see it. */
export type MaskKind = 'redact' | 'partial-last4' | 'hash' | 'pseudonym' | 'null';

/** A column named by path: `orders/public.customers.ssn` (target, schema, relation, column; another database of the target: `orders/otherdb/public…`). */
export interface ColumnPath {
  readonly target: string;
  /** Undefined: the target's own database. */
  readonly database: string | undefined;
  readonly schema: string;
  readonly relation: string;
  readonly column: string;
}

export type RecogniserName = 'card-number' | 'us-ssn' | 'aba-routing' | 'iban' | 'email' | 'phone';
export type Detector =
  | { readonly kind: 'recogniser'; readonly name: RecogniserName }
  | { readonly kind: 'pattern'; readonly pattern: string };

/** A place in the JSON that an HTTP target answers with: at which paths, and where in the document. */
export interface DocumentPlace {
  readonly target: string;
  /** Segments of a canonical path, decoded; `*` is any one, `**` (last) any rest, also none. */
  readonly segments: readonly string[];
  /** Such as `$.customer.ssn`. */
  readonly path: string;
}

export interface DataClass {
  readonly name: string;
  readonly columns: readonly ColumnPath[];
  /** Places inside a document column: the column, and a path such as `$.ssn`. */
  readonly paths: readonly { readonly column: ColumnPath; readonly path: string }[];
  readonly documents?: readonly DocumentPlace[];
  readonly detect: readonly Detector[];
  readonly mask: MaskKind;
  /** Who sees pseudonyms may look up by them. Only with `pseudonym`. */
  readonly lookup?: boolean;
}
