import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import type { Problem } from '../api/problem.ts';
import { Failure, messageOf, usage } from './failure.ts';

/** One server-sent event. */
export interface ServerEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** The gateway's API. Without a token only what is open to everyone can be asked. */
export class ApiClient {
  readonly url: string;
  readonly #token: string | undefined;

  constructor(url: string, token?: string) {
    this.url = url;
    this.#token = token;
  }

  async get<T>(path: string, query: Readonly<Record<string, string | number | undefined>> = {}): Promise<T> {
    return await this.#json<T>(path + queryString(query), {});
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return await this.#json<T>(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  }

  async delete<T>(path: string, query: Readonly<Record<string, string | undefined>>): Promise<T> {
    return await this.#json<T>(path + queryString(query), { method: 'DELETE' });
  }

  async postForm(path: string, form: Readonly<Record<string, string>>): Promise<Response> {
    return await this.#fetch(path, { method: 'POST', body: new URLSearchParams(form) });
  }

  /** The bytes of an answer, as they arrive. */
  async *bytes(path: string): AsyncGenerator<Uint8Array> {
    const response = await this.#checked(path, {});
    for await (const chunk of response.body ?? []) yield chunk as Uint8Array;
  }

  /** Server-sent events (WHATWG HTML, "Interpreting an event stream"), until the server ends the stream. */
  async *events(path: string, lastEventId?: string): AsyncGenerator<ServerEvent> {
    const response = await this.#checked(path, {
      headers: { accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    });
    let rest = '';
    for await (const chunk of text(response)) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event !== undefined) yield event;
      }
    }
  }

  async #json<T>(path: string, init: RequestInit): Promise<T> {
    return (await (await this.#checked(path, init)).json()) as T;
  }

  async #checked(path: string, init: RequestInit): Promise<Response> {
    const response = await this.#fetch(path, init);
    if (response.ok) return response;
    throw await refusal(response);
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    trustExtraAuthorities();
    const headers = new Headers(init.headers);
    if (this.#token !== undefined) headers.set('authorization', `Bearer ${this.#token}`);
    try {
      // A redirect would carry the token elsewhere.
      return await fetch(this.url + path, { ...init, headers, redirect: 'error' });
    } catch (error) {
      throw new Failure(`cannot reach the gateway at ${this.url}: ${messageOf(error)}`, {
        hint: 'is it running, and is the URL right? For a private certificate authority set SALLYPORT_CA to its PEM file',
        cause: error,
      });
    }
  }
}

export function segment(id: string): string {
  return encodeURIComponent(id);
}

async function refusal(response: Response): Promise<Failure> {
  const body = await response.text();
  let problem: Partial<Problem> = {};
  try {
    problem = JSON.parse(body) as Partial<Problem>;
  } catch {
    return new Failure(`the gateway answered ${response.status}`, { hint: 'is this the URL of a Sallyport API?' });
  }
  const hint = problem.hint ?? (response.status === 401 ? 'run: sallyport login' : undefined);
  return new Failure(problem.detail ?? `the gateway answered ${response.status}`, { hint, exitCode: response.status === 400 ? 2 : 1 });
}

function queryString(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

function parseEvent(block: string): ServerEvent | undefined {
  let event = 'message';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, '');
    const field = line.slice(0, colon);
    if (field === 'event') event = value;
    if (field === 'id') id = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { event, id, data: data.join('\n') };
}

async function* text(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) yield decoder.decode(chunk as Uint8Array, { stream: true });
  } catch (error) {
    throw new Failure(`the connection to the gateway broke: ${messageOf(error)}`, { cause: error });
  }
}

/** `SALLYPORT_CA`: a PEM file of authorities to trust beside the ones that Node brings. */
function trustExtraAuthorities(): void {
  const file = process.env['SALLYPORT_CA'];
  if (trusted || file === undefined || file === '') return;
  trusted = true;
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync(file, 'utf8')]);
  } catch (cause) {
    throw usage(`SALLYPORT_CA: ${messageOf(cause)}`);
  }
}

let trusted = false;
