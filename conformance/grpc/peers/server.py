"""A grpcio (C-core) server of the interoperability tests' TestService: server.py DESCRIPTOR_SET [CERTIFICATE KEY]. Prints its port."""

import sys
import time
from concurrent import futures

import grpc

from messages import messages

types = messages(sys.argv[1])
Empty = types['grpc.testing.Empty']
SimpleRequest = types['grpc.testing.SimpleRequest']
SimpleResponse = types['grpc.testing.SimpleResponse']
InputRequest = types['grpc.testing.StreamingInputCallRequest']
InputResponse = types['grpc.testing.StreamingInputCallResponse']
OutputRequest = types['grpc.testing.StreamingOutputCallRequest']
OutputResponse = types['grpc.testing.StreamingOutputCallResponse']


def echo(context):
    sent = dict(context.invocation_metadata())
    initial, trailing = 'x-grpc-test-echo-initial', 'x-grpc-test-echo-trailing-bin'
    if initial in sent:
        context.send_initial_metadata(((initial, sent[initial]),))
    if trailing in sent:
        context.set_trailing_metadata(((trailing, sent[trailing]),))


def payload(response, size):
    response.payload.body = bytes(size)
    return response


def compress(context, wanted):
    if not wanted:
        context.disable_next_message_compression()


def fail_if_asked(request, context):
    if request.response_status.code != 0:
        code = next(code for code in grpc.StatusCode if code.value[0] == request.response_status.code)
        context.abort(code, request.response_status.message)


def empty_call(_request, context):
    echo(context)
    return Empty()


def unary_call(request, context):
    echo(context)
    fail_if_asked(request, context)
    compress(context, request.response_compressed.value)
    return payload(SimpleResponse(), request.response_size)


def streaming_output_call(request, context):
    echo(context)
    for wanted in request.response_parameters:
        time.sleep(wanted.interval_us / 1e6)
        compress(context, wanted.compressed.value)
        yield payload(OutputResponse(), wanted.size)


def streaming_input_call(requests, context):
    return InputResponse(aggregated_payload_size=sum(len(request.payload.body) for request in requests))


def full_duplex_call(requests, context):
    echo(context)
    for request in requests:
        fail_if_asked(request, context)
        for wanted in request.response_parameters:
            time.sleep(wanted.interval_us / 1e6)
            yield payload(OutputResponse(), wanted.size)


def handler(make, behave, request):
    return make(behave, request_deserializer=request.FromString, response_serializer=lambda message: message.SerializeToString())


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), compression=grpc.Compression.Gzip)
server.add_generic_rpc_handlers(
    (
        grpc.method_handlers_generic_handler(
            'grpc.testing.TestService',
            {
                'EmptyCall': handler(grpc.unary_unary_rpc_method_handler, empty_call, Empty),
                'UnaryCall': handler(grpc.unary_unary_rpc_method_handler, unary_call, SimpleRequest),
                'StreamingOutputCall': handler(grpc.unary_stream_rpc_method_handler, streaming_output_call, OutputRequest),
                'StreamingInputCall': handler(grpc.stream_unary_rpc_method_handler, streaming_input_call, InputRequest),
                'FullDuplexCall': handler(grpc.stream_stream_rpc_method_handler, full_duplex_call, OutputRequest),
            },
        ),
    )
)
if len(sys.argv) > 2:
    with open(sys.argv[2], 'rb') as certificate, open(sys.argv[3], 'rb') as key:
        credentials = grpc.ssl_server_credentials(((key.read(), certificate.read()),))
    port = server.add_secure_port('127.0.0.1:0', credentials)
else:
    port = server.add_insecure_port('127.0.0.1:0')
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(None)
