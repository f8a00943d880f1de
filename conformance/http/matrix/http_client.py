"""One request by http.client, which follows no redirect: they are followed here. See clients.ts."""

import http.client
import json
import ssl
import sys
import urllib.parse

ask = json.load(sys.stdin)
headers = {"Authorization": "Bearer " + ask["token"]}
body = ask["body"]
if body:
    headers["Content-Type"] = body["type"]
url = ask["url"]
for _ in range(5):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=ssl.create_default_context(cafile=ask["ca"]))
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(ask["method"], target, body["text"].encode() if body else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status not in (301, 302, 303, 307, 308):
        break
    url = urllib.parse.urljoin(url, answer.headers["Location"])
json.dump({"status": answer.status, "body": text}, sys.stdout)
