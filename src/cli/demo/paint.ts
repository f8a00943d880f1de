import { styleText } from 'node:util';

/** Colour where standard output is a terminal that wants it (`NO_COLOR`, `FORCE_COLOR`). */
export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: process.stdout });
}
