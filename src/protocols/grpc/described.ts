import { GatewayFault } from '../../core/fault.ts';
import type { DataClasses } from '../../masking/classes.ts';
import { messageMasks, type MessageMasks, type MessageMasker as Masks } from '../../protobuf/masks.ts';
import type { MessageType, Method, Schema } from '../../protobuf/schema.ts';
import { messageText } from '../../protobuf/text.ts';
import { LEFT_OUT, speaksOfCredential } from '../http/credentials.ts';
import type { GrpcMasks, GrpcMethod, GrpcSchema, MessageMasker } from './environment.ts';

/** The methods of a target by its descriptors, with the masks of their messages, which are made once for all who see the same. */
export function describedBy(schema: Schema, unknownFields: 'drop' | 'refuse'): GrpcSchema {
  const masksOf = rememberedMasks(schema, unknownFields);
  const methods = new Map(schema.methods.map((method) => [method.path.slice(1), describedMethod(schema, method, masksOf)]));
  return { method: (name) => methods.get(name), classes: schema.optionClasses };
}

function describedMethod(schema: Schema, method: Method, masksOf: (masks: GrpcMasks) => MessageMasks): GrpcMethod {
  const maskers = { request: new WeakMap<GrpcMasks, MessageMasker>(), response: new WeakMap<GrpcMasks, MessageMasker>() };
  return {
    clientStreams: method.clientStreaming,
    serverStreams: method.serverStreaming,
    noSideEffects: method.noSideEffects,
    masker(direction, masks) {
      let found = maskers[direction].get(masks);
      if (found === undefined) {
        found = messageMasker(schema, method[direction], masksOf(masks).masker(method, direction), masks);
        maskers[direction].set(masks, found);
      }
      return found;
    },
    statusMasker: (masks) => masksOf(masks).statusMasker,
  };
}

function messageMasker(schema: Schema, type: MessageType, masker: Masks, { leavesOutCredentials }: GrpcMasks): MessageMasker {
  const leaveOut = leavesOutCredentials ? speaksOfCredential : () => false;
  return {
    hiddenClasses: masker.hiddenClasses,
    mask: (message) => (masker.hides ? masker.mask(message) : { bytes: message, masked: nothing }),
    text(message, maxCharacters) {
      const shown = masker.hides ? masker.mask(message) : { bytes: message };
      if (shown instanceof GatewayFault) return undefined;
      return messageText(schema, type, shown.bytes, { maxCharacters, leaveOut, leftOut: LEFT_OUT });
    },
  };
}

/** The last ones for each set of classes and of those that may be seen: policy gives the same set for the same question. */
function rememberedMasks(schema: Schema, unknownFields: 'drop' | 'refuse'): (masks: GrpcMasks) => MessageMasks {
  const made = new WeakMap<DataClasses, WeakMap<ReadonlySet<string>, Map<string, MessageMasks>>>();
  return ({ target, classes, revealed, mode }) => {
    let ofClasses = made.get(classes);
    if (ofClasses === undefined) made.set(classes, (ofClasses = new WeakMap()));
    let ofRevealed = ofClasses.get(revealed);
    if (ofRevealed === undefined) ofClasses.set(revealed, (ofRevealed = new Map()));
    let found = ofRevealed.get(mode);
    if (found === undefined) {
      ofRevealed.set(mode, (found = messageMasks({ schema, target, classes, revealed, mode, unknownFields })));
    }
    return found;
  };
}

const nothing: ReadonlyMap<string, number> = new Map();
