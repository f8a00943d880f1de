import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { parse } from 'yaml';
import type { AuditEntry } from './audit.ts';
import type { Json } from './json.ts';
import { encode, type Wanted } from './negotiate.ts';
import { decodeObject } from './protobuf.ts';
import type { RequestInfo } from './request-info.ts';
import { badRequest, StatusError, unsupportedMediaType } from './status.ts';
import type { Caller } from './users.ts';

export type AnyRequest = IncomingMessage | Http2ServerRequest;
export type AnyResponse = ServerResponse | Http2ServerResponse;

/** One request and its answer. */
export class Exchange {
  readonly request: AnyRequest;
  readonly url: URL;
  readonly info: RequestInfo;
  readonly caller: Caller;
  readonly entry: AuditEntry;
  readonly response: AnyResponse;

  constructor(parts: {
    readonly request: AnyRequest;
    readonly response: AnyResponse;
    readonly url: URL;
    readonly info: RequestInfo;
    readonly caller: Caller;
    readonly entry: AuditEntry;
  }) {
    this.request = parts.request;
    this.response = parts.response;
    this.url = parts.url;
    this.info = parts.info;
    this.caller = parts.caller;
    this.entry = parts.entry;
  }

  get userAgent(): string {
    return this.request.headers['user-agent'] ?? '';
  }

  async text(): Promise<string> {
    return (await this.#octets()).toString();
  }

  /** The body as JSON, YAML or protobuf. Undefined: there is none. */
  async body(): Promise<Json | undefined> {
    const bytes = await this.#octets();
    if (bytes.length === 0) return undefined;
    const type = this.contentType;
    try {
      if (type === '' || type === 'application/json') return JSON.parse(bytes.toString()) as Json;
      if (type === 'application/yaml') return parse(bytes.toString()) as Json;
      if (type === 'application/vnd.kubernetes.protobuf') return decodeObject(bytes);
    } catch (error) {
      throw badRequest(`couldn't decode body: ${(error as Error).message}`);
    }
    throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${mediaTypes.join(', ')}`);
  }

  async #octets(): Promise<Buffer> {
    const parts: Buffer[] = [];
    let octets = 0;
    for await (const part of this.request as AsyncIterable<Buffer>) {
      parts.push(part);
      octets += part.length;
      if (octets > maxBodyBytes) throw new StatusError(413, 'RequestEntityTooLarge', `limit is ${maxBodyBytes}`);
    }
    return Buffer.concat(parts);
  }

  get contentType(): string {
    return (this.request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  }

  answer(status: number, body: Json, wanted: Wanted, warnings: readonly string[] = []): void {
    const { type, bytes } = encode(body, wanted);
    this.head(status, type, warnings, bytes.length);
    if (this.request.method === 'HEAD') this.response.end();
    else this.response.end(bytes);
  }

  head(status: number, type: string, warnings: readonly string[] = [], octets?: number): void {
    this.entry.status = status;
    this.response.statusCode = status;
    this.response.setHeader('Content-Type', type);
    this.response.setHeader('Cache-Control', 'no-cache, private');
    this.response.setHeader('Audit-Id', Date.now().toString(16));
    this.response.setHeader('X-Kubernetes-Pf-Flowschema-Uid', flowSchema);
    if (octets !== undefined) this.response.setHeader('Content-Length', octets);
    if (warnings.length > 0)
      this.response.setHeader(
        'Warning',
        warnings.map((text) => `299 - ${JSON.stringify(text)}`),
      );
  }

  /** A piece of an answer that goes on. Resolves when there is room for more. */
  async write(piece: string | Buffer): Promise<void> {
    const { response } = this;
    if (response.writableEnded || response.destroyed) return;
    // One of the two kinds of response has no overload for this.
    if ((response as ServerResponse).write(piece)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.on('drain', done);
      response.on('close', done);
    });
  }
}

const mediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const maxBodyBytes = 3 * 1024 * 1024;
const flowSchema = '9c5d1f30-21f9-4d1b-a2d9-2b6f6b1c2a10';
