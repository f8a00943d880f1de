"""One request by requests, as JSON from stdin; what came back, as JSON on stdout. See clients.ts."""

import json
import sys

import requests

ask = json.load(sys.stdin)
headers = {"Authorization": "Bearer " + ask["token"]}
body = ask["body"]
if body:
    headers["Content-Type"] = body["type"]
answer = requests.request(ask["method"], ask["url"], headers=headers, data=body["text"].encode() if body else None, verify=ask["ca"])
json.dump({"status": answer.status_code, "body": answer.text}, sys.stdout)
