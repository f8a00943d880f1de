/**
 * PostgreSQL's own grammar (version 18), compiled to WebAssembly.
 *
 * An instance is used until it traps. A statement nested too deeply for the machine's stack unwinds the C code without its clean-up: each
 * time some of the instance's own stack is lost, until (measured: after 34 such statements) it refuses everything. So an instance that
 * failed in any way but PostgreSQL's own error is thrown away, and a fresh one, made beforehand, takes over. The same for one that grew.
 */
import createModule, { type ParserModule } from 'libpg-query/wasm/libpg-query.js';
import { GatewayFault } from '../../core/fault.ts';
import { withoutComments } from './comments.ts';
import { bodyOf, listOf, refuse, type Body } from './nodes.ts';
import { SyntaxFault } from './syntax-fault.ts';

/** Makes the parser ready; `parseStatements` throws until it has resolved. */
export async function loadParser(): Promise<void> {
  current ??= await createInstance();
  await replenish();
}

/**
 * The statements of a text as raw parse trees, empty statements left out. Throws `SyntaxFault` for what the grammar does not accept,
 * `unclassified` for a text that cannot be parsed as the server would parse it: NUL, unpaired surrogates, nesting beyond the stack.
 */
export function parseStatements(sql: string): readonly Body[] {
  if (sql.includes('\0')) return refuse('the text contains NUL');
  if (!sql.isWellFormed()) return refuse('the text is not well-formed Unicode');
  if (sql === '') return [];
  const instance = current;
  if (instance === undefined) {
    void replenish();
    return refuse('no parser instance', 'The statement parser is not ready. Try again.');
  }
  let json: string;
  try {
    json = runParserTwice(instance, sql);
  } catch (error) {
    if (error instanceof GatewayFault) throw error;
    replaceInstance();
    return refuse(`the parser failed: ${String(error)}`, 'This statement is nested too deeply to be classified.');
  }
  if (instance.HEAPU8.length > maxInstanceBytes && spare !== undefined) replaceInstance();
  return listOf(bodyOf(parseJson(json))['stmts']).map(bodyOf);
}

/**
 * To the parser's own lexer a comment is a token, so that one inside `nulls /* … *\/ last` keeps it from seeing the two words as the one
 * that they are to the server. Read again without comments only where that was refused: no text means one thing so and another the other way.
 */
function runParserTwice(instance: ParserModule, sql: string): string {
  try {
    return runParser(instance, sql);
  } catch (error) {
    if (!(error instanceof SyntaxFault) || sql.length > maxScannedLength || !(sql.includes('--') || sql.includes('/*'))) throw error;
    const blanked = withoutComments(sql, tokensOf(instance, sql));
    if (blanked === undefined) throw error;
    return runParser(instance, blanked);
  }
}

function tokensOf(instance: ParserModule, sql: string): string {
  const source = copyIn(instance, sql);
  const tokens = instance._wasm_scan(source);
  instance._free(source);
  if (tokens === 0) throw new Error('no tokens');
  try {
    return instance.UTF8ToString(tokens);
  } finally {
    instance._wasm_free_string(tokens);
  }
}

function copyIn(instance: ParserModule, sql: string): number {
  const bytes = instance.lengthBytesUTF8(sql) + 1;
  const source = instance._malloc(bytes);
  if (source === 0) throw new Error('out of memory');
  instance.stringToUTF8(sql, source, bytes);
  return source;
}

function runParser(instance: ParserModule, sql: string): string {
  const source = copyIn(instance, sql);
  const result = instance._wasm_parse_query_raw(source);
  instance._free(source);
  if (result === 0) throw new Error('no result');
  try {
    const error = instance.getValue(result + 8, 'i32');
    if (error !== 0) throw readError(instance, error, sql);
    return instance.UTF8ToString(instance.getValue(result, 'i32'));
  } finally {
    instance._wasm_free_parse_result(result);
  }
}

/** `PgQueryError`: message, function, file, line, cursor position (characters from 1). */
function readError(instance: ParserModule, error: number, sql: string): SyntaxFault {
  const message = instance.UTF8ToString(instance.getValue(error, 'i32'));
  return new SyntaxFault(message, Math.max(0, instance.getValue(error + 16, 'i32')), sql);
}

/** A defect of the parser's output is no reason to let a statement pass. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    return refuse(`the parse tree is not readable: ${String(error)}`);
  }
}

function replaceInstance(): void {
  current = spare;
  spare = undefined;
  void replenish();
}

/** Never rejects: without a spare the next failure leaves no parser, and statements are refused until one is made. */
async function replenish(): Promise<void> {
  try {
    const made = await createInstance();
    if (current === undefined) {
      current = made;
      spare ??= await createInstance();
    } else spare ??= made;
  } catch {
    // Out of memory or the like; the next call of loadParser or replaceInstance tries again.
  }
}

async function createInstance(): Promise<ParserModule> {
  return createModule({ print: () => {}, printErr: () => {} });
}

let current: ParserModule | undefined;
let spare: ParserModule | undefined;

/** An instance starts with 128 MiB of address space and never gives memory back. */
const maxInstanceBytes = 192 * 1024 * 1024;

/** Characters. The scanner's time grows with the square of the text: at most 0.1 s here, 6 s for 32 KiB of comments alone (measured). */
const maxScannedLength = 4 * 1024;
