import { RecentMap } from '../../core/recent-map.ts';

/**
 * Names of header fields by what they mean here. All in lower case with `-`; look them up by `spelledOut`, because CGI and its heirs (WSGI, PHP, Rack) make
 * one variable of `X-Auth-User`, `X_Auth_User` and `x-auth.user`, and whoever strips one spelling only has stripped nothing.
 */

/** What is known of a name as it was sent. */
export interface FieldName {
  /** In lower case. */
  readonly name: string;
  readonly spelled: string;
  readonly isSingleton: boolean;
  readonly staysHere: boolean;
}

/** Undefined for what is no name. Clients send the same few names again and again: what they mean is told once. */
export function fieldName(sent: string): FieldName | undefined {
  let known = knownNames.get(sent);
  if (known !== undefined || !isToken(sent)) return known;
  const spelled = spelledOut(sent);
  known = { name: sent.toLowerCase(), spelled, isSingleton: isSingleton(spelled), staysHere: staysHere(spelled) };
  if (sent.length <= longestRemembered) knownNames.set(sent, known);
  return known;
}

/** RFC 9110 section 5.6.2. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}

/** The name as every spelling of it is compared: lower case, and `-` for each character that is neither a letter nor a digit. */
export function spelledOut(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** What there may be one of only, in one spelling: framing, routing, identity, and whatever servers read the first of, the last of, or both (RFC 9110 section 5.3). */
export function isSingleton(spelled: string): boolean {
  return singletons.has(spelled) || spelled.startsWith('sallyport-');
}

/**
 * What does not go upstream. The target must not learn from a client who or where it is, what it really asks for, or what only counts between the two
 * ends of one connection; what of it the target needs, the gateway adds itself.
 */
export function staysHere(spelled: string): boolean {
  return here.has(spelled) || herePrefixes.some((prefix) => spelled.startsWith(prefix));
}

/** They ask for parts of a body or for a coding of it. They do not go upstream where something in the answer is hidden. */
export function isPartial(spelled: string): boolean {
  return partial.has(spelled);
}

/** They ask for a body only where it has changed. Of reads they do not go upstream where something in the answer is hidden. */
export function isConditional(spelled: string): boolean {
  return conditional.has(spelled);
}

/** Trace contexts and identifiers of one try (W3C Trace Context, B3): the same request has new ones when it is made again. */
export function isOfOneTry(spelled: string): boolean {
  return ofOneTry.has(spelled);
}

const knownNames = new RecentMap<string, FieldName>(500);
const longestRemembered = 64;

const singletons: ReadonlySet<string> = new Set([
  // Framing and routing.
  'content-length',
  'expect',
  'host',
  'max-forwards',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  // Identity.
  'authorization',
  'cookie',
  'from',
  'origin',
  'proxy-authorization',
  'referer',
  'user-agent',
  // What the body is and which part of the resource is meant.
  'content-encoding',
  'content-disposition',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'range',
  // Web sockets.
  'sec-websocket-key',
  'sec-websocket-version',
  // Cross-origin requests.
  'access-control-request-method',
  // Tracing.
  'traceparent',
]);

const here: ReadonlySet<string> = new Set([
  // One connection's own (RFC 9110 section 7.6.1), and framing, which the transport makes anew.
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Of the upgrade that the gateway asks for itself (RFC 6455 section 4.1); no extension is spoken.
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
  // Credentials: the target's own takes their place.
  'api-key',
  'authorization',
  'x-api-key',
  // Who and where the client is, as proxies tell it.
  'client-cert',
  'client-cert-chain',
  'client-ip',
  'early-data',
  'fastly-client-ip',
  'forwarded',
  'front-end-https',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-http-host-override',
  'x-originating-ip',
  'x-real-ip',
  'x-scheme',
  'x-url-scheme',
  // What the request really is.
  'x-http-destinationurl',
  'x-http-method',
  'x-http-method-override',
  'x-method',
  'x-method-override',
]);

const partial: ReadonlySet<string> = new Set([
  'range',
  'if-range',
  'accept-encoding',
  'want-content-digest',
  'want-repr-digest',
  'want-digest',
]);

const conditional: ReadonlySet<string> = new Set(['if-none-match', 'if-match', 'if-modified-since', 'if-unmodified-since']);

const ofOneTry: ReadonlySet<string> = new Set([
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-request-id',
  'x-correlation-id',
]);

const herePrefixes: readonly string[] = [
  'proxy-',
  'sallyport-',
  'x-sallyport-',
  'x-forwarded',
  'x-original-',
  'x-rewrite-',
  'x-accel-',
  // Who is signed in, as the proxy in front says it: oauth2-proxy and Traefik, Kubernetes' front proxy and its impersonation, Apache and Shibboleth,
  // Azure App Service, Google's and Amazon's load balancers, Envoy, Cloudflare.
  'x-auth-',
  'x-authenticated-',
  'x-webauth-',
  'x-remote-',
  'remote-',
  'impersonate-',
  'x-client-cert',
  'x-ssl-',
  'ssl-client-',
  'x-ms-client-principal',
  'x-ms-token-',
  'x-goog-authenticated-user-',
  'x-goog-iap-',
  'x-amzn-oidc-',
  'x-envoy-',
  'cf-',
];
