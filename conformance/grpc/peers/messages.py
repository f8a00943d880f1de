"""Messages of a FileDescriptorSet, for peers that are not compiled: messages(path)['grpc.testing.SimpleRequest']()."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def messages(path):
    files = descriptor_pb2.FileDescriptorSet()
    with open(path, 'rb') as source:
        files.ParseFromString(source.read())
    pool = descriptor_pool.DescriptorPool()
    waiting = list(files.file)
    while waiting:
        known = {file.name for file in files.file} - {file.name for file in waiting}
        ready = [file for file in waiting if all(name in known for name in file.dependency)]
        for file in ready:
            pool.Add(file)
        waiting = [file for file in waiting if file not in ready]
    factory = message_factory.MessageFactory(pool)
    found = {}
    for file in files.file:
        for name in file.message_type:
            full = f'{file.package}.{name.name}'
            found[full] = factory.GetPrototype(pool.FindMessageTypeByName(full))
    return found
