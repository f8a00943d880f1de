/**
 * Where the values of a statement's result come from. Made by a dialect (`sql/postgres/lineage.ts`) from the parse tree and what the
 * catalogue says of names; read by masking, which knows which columns are sensitive.
 */
import type { QualifiedName } from './statement.ts';

/** One step into a document: to the member of this key, of any key, to an element. Which element is not told apart. */
export interface AccessStep {
  /** Undefined: no key, or any (`anyKey`). */
  readonly key: string | undefined;
  readonly anyKey: boolean;
  readonly element: boolean;
  /** Arrays on the way to a key are looked into, and what is no array counts as one of one element (lax jsonpath). */
  readonly lax: boolean;
}

/** A column, and where in the document that it holds; no steps: all of it. */
export interface Source {
  readonly relation: number;
  readonly column: string;
  readonly path: readonly AccessStep[];
}

export interface Lineage {
  /** One for each column of the result: everything that its values can be computed from. */
  readonly columns: readonly (readonly Source[])[];
  /** What decides which rows there are (WHERE, HAVING, JOIN, GROUP BY, ORDER BY …) without reaching a value. */
  readonly predicates: readonly Source[];
  /** Whatever is used otherwise than as an output column by itself, predicates among it; comparisons of `lookups` left out. */
  readonly used: readonly Source[];
  readonly lookups: Lookups;
}

/** What the client wrote and the server compares for equality with stored columns that can be looked up (`LineageCatalogue.lookup`). */
export interface Lookups {
  /** By its number, from 1. */
  readonly parameters: ReadonlyMap<number, LookupParameter>;
  readonly constants: readonly LookupConstant[];
}

/** A text constant. Its place and its value are those of the text that was traced, and of no other text of its shape. */
export interface LookupConstant {
  readonly class: string;
  /** Where it begins, in bytes of UTF-8. */
  readonly offset: number;
  readonly value: string;
}

export interface LookupParameter {
  /** Of every column that it is compared with. */
  readonly classes: readonly string[];
  /** `one` value, or an `array` of them (`= ANY ($1)`); undefined: both. */
  readonly form: 'one' | 'array' | undefined;
  /** Every column that it is compared with pads its values with blanks. */
  readonly padded: boolean;
  /** It stands somewhere else in the statement as well. */
  readonly usedOtherwise: boolean;
}

/** A column whose values can be looked up. */
export interface LookupColumn {
  readonly class: string;
  /** Values are padded with blanks (`character (n)`). */
  readonly padded: boolean;
}

/** What a dialect needs to know of names. */
export interface LineageCatalogue {
  /** The relation that the name means beyond doubt, its columns in order; undefined where it may mean several or none. */
  relation(name: QualifiedName): { readonly id: number; readonly columns: readonly string[] } | undefined;
  /** A function of this name was made in this database. */
  hasUserFunction(name: string): boolean;
  hasUserOperator(name: string): boolean;
  /** The column is one that can be looked up. Left out: none is. */
  lookup?(relation: number, column: string): LookupColumn | undefined;
}
