"""Reads messages as Python's protobuf does and writes them anew, each field once and nothing unknown. A line in, a line out, both JSON."""

import base64
import json
import sys

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message, message_factory


def canonical(pool, of):
    of.DiscardUnknownFields()
    for field, value in of.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            # Writing makes it a map: until then an entry that came twice is there twice.
            for key in list(value):
                if field.message_type.fields_by_name["value"].message_type is None:
                    value[key] = value[key]
                else:
                    canonical(pool, value.get_or_create(key))
        elif field.label == field.LABEL_REPEATED:
            for inner in value:
                canonical(pool, inner)
        else:
            canonical(pool, value)
    if of.DESCRIPTOR.full_name != "google.protobuf.Any":
        return
    try:
        content = new(pool, of.type_url.rsplit("/", 1)[-1])
    except KeyError:
        return
    content.MergeFromString(of.value)
    canonical(pool, content)
    of.value = content.SerializePartialToString(deterministic=True)


def new(pool, name):
    return factory(pool.FindMessageTypeByName(name))()


def factory(descriptor):
    make = getattr(message_factory, "GetMessageClass", None)
    return make(descriptor) if make else message_factory.MessageFactory(descriptor.file.pool).GetPrototype(descriptor)


for line in sys.stdin:
    asked = json.loads(line)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(asked["set"])).file:
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    answers = []
    for text in asked["messages"]:
        read = new(pool, asked["type"])
        try:
            read.MergeFromString(base64.b64decode(text))
            canonical(pool, read)
        except message.DecodeError:
            answers.append(None)
            continue
        answers.append(base64.b64encode(read.SerializePartialToString(deterministic=True)).decode())
    print(json.dumps(answers), flush=True)
