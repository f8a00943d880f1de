/** A query of Azure Cosmos DB for NoSQL, as far as its values matter: operators are told apart only where they decide what can come out. */
export interface Query {
  readonly distinct: boolean;
  readonly selection: Selection;
  readonly from: readonly Source[];
  readonly where: Expression | undefined;
  readonly groupBy: readonly Expression[];
  readonly orderBy: readonly Expression[];
}

export type Selection =
  | { readonly kind: 'star' }
  | { readonly kind: 'value'; readonly expression: Expression }
  | { readonly kind: 'list'; readonly items: readonly SelectItem[] };

export interface SelectItem {
  readonly expression: Expression;
  /** Its key in the result; undefined where the server makes one up (`$1`). */
  readonly name: string | undefined;
}

/** One input of FROM. */
export interface Source {
  readonly alias: string;
  /** `alias IN …`: the elements of the array. */
  readonly iterates: boolean;
  readonly of: Expression;
}

export type Expression =
  | { readonly kind: 'constant' }
  | { readonly kind: 'reference'; readonly name: string }
  /** Undefined: computed, so any of them. */
  | { readonly kind: 'member'; readonly of: Expression; readonly key: string | undefined }
  | { readonly kind: 'element'; readonly of: Expression }
  | { readonly kind: 'object'; readonly members: readonly { readonly key: string; readonly value: Expression }[] }
  | { readonly kind: 'array'; readonly elements: readonly Expression[] }
  | { readonly kind: 'call'; readonly name: string; readonly isUserDefined: boolean; readonly operands: readonly Expression[] }
  | { readonly kind: 'operation'; readonly operands: readonly Expression[] }
  /** `one`: the value of a sub-query; `array`: all of them; `exists`: whether there is one. */
  | { readonly kind: 'query'; readonly how: 'one' | 'array' | 'exists'; readonly query: Query };
