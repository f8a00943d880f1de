import type { Way } from './index.ts';

/** An HAProxy that normalises targets in every way that it knows, strictly where it can, and forwards them so. */
export function haproxyConfiguration(reporter: Way, way: Way): string {
  return `global
  expose-experimental-directives
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  timeout http-request 5s
frontend gateway
  bind unix@${way.path} mode 600
  http-request set-header understood-method %[method]
  http-request set-header understood-host %[req.hdr(host)]
  http-request normalize-uri fragment-strip
  http-request normalize-uri percent-decode-unreserved strict
  http-request normalize-uri percent-to-uppercase strict
  http-request normalize-uri path-merge-slashes
  http-request normalize-uri path-strip-dot
  http-request normalize-uri path-strip-dotdot full
  http-request set-header understood-path %[path]
  http-request set-header way ${way.name}
  default_backend reporter
backend reporter
  server reporter unix@${reporter.path}
`;
}
