"""Python's own server and WSGI, as Flask and Django see a request. Says on its first line where it listens, then answers each request with what it understood."""

import json
import sys
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    understood = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"].encode("latin-1").decode("utf-8", "surrogateescape"),
        "parameters": [name for name, _ in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)],
        "variables": {name: value for name, value in environ.items() if name.startswith("HTTP_")},
        "body": environ["wsgi.input"].read(length).decode("latin-1"),
    }
    answer = json.dumps(understood).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [] if understood["method"] == "HEAD" else [answer]


class Server(WSGIServer):
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Quiet)
server.set_app(application)
print(server.server_port, flush=True)
sys.stdin.close()
server.serve_forever()
