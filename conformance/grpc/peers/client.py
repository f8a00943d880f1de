"""The interoperability tests with grpcio (C-core) as client: client.py DESCRIPTOR_SET WAY, where WAY is JSON (see `Way` in cases.ts). Prints outcomes as JSON."""

import json
import sys
import threading

import grpc

from messages import messages

types = messages(sys.argv[1])
way = json.loads(sys.argv[2])
Empty = types['grpc.testing.Empty']
SimpleRequest = types['grpc.testing.SimpleRequest']
SimpleResponse = types['grpc.testing.SimpleResponse']
InputRequest = types['grpc.testing.StreamingInputCallRequest']
InputResponse = types['grpc.testing.StreamingInputCallResponse']
OutputRequest = types['grpc.testing.StreamingOutputCallRequest']
OutputResponse = types['grpc.testing.StreamingOutputCallResponse']
service = '/grpc.testing.TestService/'
timeout = 30


class Unexpected(Exception):
    pass


def expect(seen, wanted):
    if seen != wanted:
        raise Unexpected(f'{seen!r} instead of {wanted!r}')


def options():
    authority = way.get('authority')
    if authority is None:
        return []
    return [('grpc.ssl_target_name_override', authority), ('grpc.default_authority', authority)]


def open_channel(compression=None):
    if way.get('ca') is None:
        return grpc.insecure_channel(way['address'], options(), compression)
    credentials = grpc.ssl_channel_credentials(way['ca'].encode())
    return grpc.secure_channel(way['address'], credentials, options(), compression)


def metadata(*more):
    token = way.get('token')
    return (() if token is None else (('authorization', f'Bearer {token}'),)) + more


def serialized(message):
    return message.SerializeToString()


def unary(channel, method, response):
    return channel.unary_unary(method, serialized, response.FromString)


def call_unary(channel, request, *more):
    return unary(channel, service + 'UnaryCall', SimpleResponse).with_call(request, timeout=timeout, metadata=metadata(*more))


def duplex(channel, requests, limit=timeout, *more):
    call = channel.stream_stream(service + 'FullDuplexCall', serialized, OutputResponse.FromString)
    return call(requests, timeout=limit, metadata=metadata(*more))


def zeros(message, size):
    message.payload.body = bytes(size)
    return message


def large_request(**fields):
    return zeros(SimpleRequest(response_size=314159, **fields), 271828)


def output_request(response, request, interval=0):
    message = zeros(OutputRequest(), request)
    message.response_parameters.add(size=response, interval_us=interval)
    return message


class Requests:
    """What a client sends, one after the other, until it is closed."""

    def __init__(self):
        self.waiting, self.ready, self.over = [], threading.Condition(), False

    def send(self, request):
        with self.ready:
            self.waiting.append(request)
            self.ready.notify()

    def close(self):
        with self.ready:
            self.over = True
            self.ready.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.ready:
            self.ready.wait_for(lambda: self.waiting or self.over)
            if self.waiting:
                return self.waiting.pop(0)
            raise StopIteration


def expect_status(code, details, act):
    try:
        act()
    except grpc.RpcError as error:
        expect(error.code(), code)
        if details is not None:
            expect(error.details(), details)
        return
    raise Unexpected('no error')


def empty_unary(channel):
    unary(channel, service + 'EmptyCall', Empty)(Empty(), timeout=timeout, metadata=metadata())


def large_unary(channel):
    expect(len(call_unary(channel, large_request())[0].payload.body), 314159)


def client_compressed_unary(channel):
    request = large_request()
    request.expect_compressed.value = True
    expect(len(call_unary(channel, request)[0].payload.body), 314159)


def server_compressed_unary(channel):
    for wanted in (True, False):
        request = large_request()
        request.response_compressed.value = wanted
        expect(len(call_unary(channel, request)[0].payload.body), 314159)


def send_inputs(channel, sizes, total):
    call = channel.stream_unary(service + 'StreamingInputCall', serialized, InputResponse.FromString)
    answer = call((zeros(InputRequest(), size) for size in sizes), timeout=timeout, metadata=metadata())
    expect(answer.aggregated_payload_size, total)


def client_streaming(channel):
    send_inputs(channel, (27182, 8, 1828, 45904), 74922)


def client_compressed_streaming(channel):
    send_inputs(channel, (27182, 45904), 73086)


def read_outputs(channel, sizes, compressed):
    request = OutputRequest()
    for size in sizes:
        request.response_parameters.add(size=size).compressed.value = compressed
    call = channel.unary_stream(service + 'StreamingOutputCall', serialized, OutputResponse.FromString)
    expect([len(answer.payload.body) for answer in call(request, timeout=timeout, metadata=metadata())], list(sizes))


def server_streaming(channel):
    read_outputs(channel, (31415, 9, 2653, 58979), False)


def server_compressed_streaming(channel):
    read_outputs(channel, (31415, 92653), True)


def ping_pong(channel):
    requests = Requests()
    answers = duplex(channel, requests)
    for request, response in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
        requests.send(output_request(response, request))
        expect(len(next(answers).payload.body), response)
    requests.close()
    expect(list(answers), [])


def empty_stream(channel):
    expect(list(duplex(channel, iter(()))), [])


def custom_metadata(channel):
    sent = (('x-grpc-test-echo-initial', 'test_initial_metadata_value'), ('x-grpc-test-echo-trailing-bin', b'\xab\xab\xab'))
    _answer, call = call_unary(channel, large_request(), *sent)
    expect(dict(call.initial_metadata()).get(sent[0][0]), sent[0][1])
    expect(dict(call.trailing_metadata()).get(sent[1][0]), sent[1][1])
    call = duplex(channel, iter([output_request(314159, 271828)]), timeout, *sent)
    expect(len(list(call)), 1)
    expect(dict(call.initial_metadata()).get(sent[0][0]), sent[0][1])
    expect(dict(call.trailing_metadata()).get(sent[1][0]), sent[1][1])


def status_code_and_message(channel):
    request = SimpleRequest()
    request.response_status.code, request.response_status.message = 2, 'test status message'
    expect_status(grpc.StatusCode.UNKNOWN, 'test status message', lambda: call_unary(channel, request))
    streamed = OutputRequest()
    streamed.response_status.code, streamed.response_status.message = 2, 'test status message'
    expect_status(grpc.StatusCode.UNKNOWN, 'test status message', lambda: list(duplex(channel, iter([streamed]))))


def special_status_message(channel):
    request = SimpleRequest()
    request.response_status.code = 2
    request.response_status.message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n'
    expect_status(grpc.StatusCode.UNKNOWN, request.response_status.message, lambda: call_unary(channel, request))


def unimplemented(channel, method):
    call = unary(channel, method, Empty)
    expect_status(grpc.StatusCode.UNIMPLEMENTED, None, lambda: call(Empty(), timeout=timeout, metadata=metadata()))


def unimplemented_method(channel):
    unimplemented(channel, service + 'UnimplementedCall')


def unimplemented_service(channel):
    unimplemented(channel, '/grpc.testing.UnimplementedService/UnimplementedCall')


def cancel_after_begin(channel):
    requests = Requests()
    call = channel.stream_unary(service + 'StreamingInputCall', serialized, InputResponse.FromString)
    future = call.future(requests, timeout=timeout, metadata=metadata())
    future.cancel()
    requests.close()
    expect(future.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(channel):
    requests = Requests()
    call = duplex(channel, requests)
    requests.send(output_request(31415, 27182))
    expect(len(next(call).payload.body), 31415)
    call.cancel()
    requests.close()
    expect(call.code(), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(channel):
    requests = Requests()
    requests.send(output_request(1, 27182, 2000000))
    expect_status(grpc.StatusCode.DEADLINE_EXCEEDED, None, lambda: list(duplex(channel, requests, 0.001)))
    requests.close()


cases = (
    empty_unary,
    large_unary,
    client_compressed_unary,
    server_compressed_unary,
    client_streaming,
    client_compressed_streaming,
    server_streaming,
    server_compressed_streaming,
    ping_pong,
    empty_stream,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
)

outcomes = {}
with open_channel() as plain, open_channel(grpc.Compression.Gzip) as compressing:
    for case in cases:
        try:
            case(compressing if case.__name__.startswith('client_compressed') else plain)
            outcomes[case.__name__] = 'ok'
        except Unexpected as error:
            outcomes[case.__name__] = str(error)
        except grpc.RpcError as error:
            outcomes[case.__name__] = f'failed: {error.code().name}: {error.details()}'
print(json.dumps(outcomes))
