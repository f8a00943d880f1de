"""The Authorization that botocore gives a request: reads one as JSON from stdin, writes the field's value.

{ "method", "url", "headers": [[name, value], ...], "body": base64, "region", "service" }; the time is that of x-amz-date.
"""

import base64
import json
import sys

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

asked = json.load(sys.stdin)
request = AWSRequest(method=asked["method"], url=asked["url"], data=base64.b64decode(asked["body"]))
for name, value in asked["headers"]:
    request.headers[name] = value
request.context["timestamp"] = request.headers["x-amz-date"]
kind = S3SigV4Auth if asked["service"] == "s3" else SigV4Auth
signer = kind(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), asked["service"], asked["region"])
to_sign = signer.string_to_sign(request, signer.canonical_request(request))
signer._inject_signature_to_request(request, signer.signature(to_sign, request))
print(request.headers["Authorization"], end="")
