"""Calls of azure-cosmos 3.1, one after the other, and how each ended. See client.ts."""

import json
import sys
import warnings

warnings.simplefilter("ignore")  # Of its imports, which are older than this Python.
from azure.cosmos import cosmos_client, documents, errors, query_iterable  # noqa: E402


def outcome(client, name, arguments):
    try:
        result = getattr(client, name)(*arguments)
        if isinstance(result, query_iterable.QueryIterable):
            result = list(iter(result.fetch_next_block, []))
    except errors.HTTPFailure as error:
        return {"status": error.status_code, "substatus": error.sub_status, "message": str(error)}
    return {"result": result, "masked": client.last_response_headers.get("sallyport-masked")}


ask = json.load(sys.stdin)
policy = documents.ConnectionPolicy()
policy.SSLConfiguration = documents.SSLConfiguration()
policy.SSLConfiguration.SSLCaCerts = ask["ca"]
client = cosmos_client.CosmosClient(ask["endpoint"], ask["auth"], policy)
json.dump([outcome(client, name, arguments) for name, *arguments in ask["calls"]], sys.stdout)
