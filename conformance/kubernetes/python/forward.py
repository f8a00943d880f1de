"""Forwards ports of a pod with Python's kubernetes, over the channels of a WebSocket. Standard input: the pod, its namespace, and steps; output: what each of them gave."""

import http.client
import json
import sys
import threading
import time

from kubernetes import client, config
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward


def main():
    asked = json.load(sys.stdin)
    config.load_kube_config()
    api = client.CoreV1Api()
    given = []
    for step in asked["steps"]:
        try:
            forward = portforward(
                api.connect_get_namespaced_pod_portforward,
                asked["pod"],
                asked["namespace"],
                ports=",".join(str(port) for port in step["ports"]),
            )
            given.append(run(forward, step))
        except ApiException as error:
            given.append({"refused": str(error.reason).partition("\n")[0]})
    json.dump(given, sys.stdout)


def run(forward, step):
    """Every port at once, each with its requests one after another on one connection, and what was told on its channel of errors."""
    answers = {}
    threads = [threading.Thread(target=lambda port=port: answers.update({port: talk(forward, port, step)})) for port in step["ports"]]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(30)
    forward.close()
    return {str(port): answers.get(port, {"answers": ["nothing came"], "error": None}) for port in step["ports"]}


def talk(forward, port, step):
    if step.get("waits"):
        deadline = time.time() + 20
        while forward.error(port) is None and time.time() < deadline:
            time.sleep(0.02)
        return {"answers": [], "error": forward.error(port)}
    connection = http.client.HTTPConnection("in-the-pod", port)
    connection.sock = forward.socket(port)
    connection.sock.settimeout(20)
    answers = []
    try:
        for method, path, length in step["requests"]:
            connection.request(method, path, b"x" * length if length else None, step.get("headers", {}))
            answer = connection.getresponse()
            body = answer.read()
            answers.append([answer.status, body.decode() if len(body) < 1000 else len(body)])
    except OSError:
        # In which words differs from run to run.
        answers.append("failed")
    return {"answers": answers, "error": forward.error(port)}


main()
