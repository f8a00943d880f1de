import type { PortWay, Way } from './index.ts';

/** An nginx as Debian sets it up, where it matters: slashes merged, dot segments removed, names with `_` dropped. */
export function nginxConfiguration(folder: string, reporter: Way, asItCame: Way, rewriting: Way, overHttp2: PortWay): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${folder}/${kind};`).join('\n');
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 512; }
http {
  access_log off;
${temporary}
  keepalive_timeout 5s;
  client_header_timeout 5s;
  client_body_timeout 5s;
  proxy_http_version 1.1;
  upstream reporter {
    server unix:${reporter.path};
    keepalive 16;
  }
${server(asItCame.name, `unix:${asItCame.path}`, 'http://reporter')}
${server(rewriting.name, `unix:${rewriting.path}`, 'http://reporter/')}
${server(overHttp2.name, `127.0.0.1:${overHttp2.port} http2`, 'http://reporter')}
}
`;
}

function server(name: string, listen: string, to: string): string {
  return `  server {
    listen ${listen};
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header understood-path $uri;
    proxy_set_header understood-query $args;
    proxy_set_header understood-method $request_method;
    proxy_set_header way ${name};
    location / {
      proxy_pass ${to};
    }
  }`;
}
