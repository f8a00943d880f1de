import { bodyFamilies } from './corpus/bodies.ts';
import { headFamilies } from './corpus/heads.ts';
import type { FramingFamily } from './corpus/sending.ts';
import { lastStream, streamFamilies } from './corpus/streams.ts';
import { goaway, preface, requestFrames } from './upstreams/frames.ts';
import { numbered } from './upstreams/reporter.ts';

/** A family whose sendings have their numbers. */
export interface Cases extends Omit<FramingFamily, 'sendings'> {
  readonly cases: readonly Case[];
}

export interface Case {
  readonly number: number;
  /** What goes on the wire, a character for each octet. */
  readonly octets: string;
  /** For people. */
  readonly text: string;
}

/** HTTP/1. */
export function messageCases(): readonly Cases[] {
  let number = 0;
  return [...bodyFamilies, ...headFamilies].map(({ sendings, ...family }) => ({
    ...family,
    cases: sendings.map((sending) => {
      number += 1;
      const octets = numbered(sending, number);
      return { number, octets, text: JSON.stringify(octets.slice(0, 1_000)) };
    }),
  }));
}

/** HTTP/2. */
export function streamCases(): readonly Cases[] {
  let number = 0;
  return streamFamilies.map(({ sendings, ...family }) => ({
    ...family,
    cases: sendings.map(({ fields, body, trailers }) => {
      number += 1;
      const [one, last] = [fields, lastStream.fields].map((texts) => texts.map((text) => numbered(text, number))) as [string[], string[]];
      const frames = Buffer.concat([preface, requestFrames(1, one, body, trailers), requestFrames(3, last), goaway]);
      return { number, octets: frames.toString('latin1'), text: JSON.stringify({ fields: one, body, trailers }) };
    }),
  }));
}
