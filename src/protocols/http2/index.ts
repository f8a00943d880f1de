export { readAnswerHead, readTrailers } from './answer-head.ts';
export { initialWindowBytes, maxFrameBytes, maxWindowBytes, setting, type Setting } from './frame.ts';
export { FrameReader, type ServerFrames } from './frame-reader.ts';
export { FrameWriter } from './frame-writer.ts';
export { HpackDecoder, maxListBytes, type DecodedField } from './hpack-decoder.ts';
export { HpackEncoder, type RequestHead } from './hpack-encoder.ts';
export { errorCode, Http2Violation } from './violation.ts';
export { readServerSettings } from './server-settings.ts';
