/** The parser's WebAssembly module itself: its wrapper keeps one instance for ever, ours must be replaceable (see parser.ts). */
declare module 'libpg-query/wasm/libpg-query.js' {
  export interface ParserModule {
    readonly HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    /** Takes a NUL-terminated UTF-8 text; gives a `PgQueryParseResult`: tree, stderr, error (32-bit pointers). */
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    /** Takes a NUL-terminated UTF-8 text; gives its tokens as JSON, or the text of an error. */
    _wasm_scan(text: number): number;
    _wasm_free_string(text: number): void;
    getValue(pointer: number, type: 'i32'): number;
    UTF8ToString(pointer: number): string;
    stringToUTF8(text: string, pointer: number, bytes: number): void;
    lengthBytesUTF8(text: string): number;
  }
  const createModule: (options?: {
    readonly print?: (line: string) => void;
    readonly printErr?: (line: string) => void;
  }) => Promise<ParserModule>;
  export default createModule;
}
