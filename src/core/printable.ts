/** Text for a terminal: bounded, no NUL (which would end a field), no control characters (which could forge what follows). Line feeds and tabs stay. */
export function printable(text: string, maxCharacters = 4_096): string {
  const cut = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
  return cut.replace(CONTROL_CHARACTERS, '\ufffd');
}

/** All of C0 but tab and line feed, delete, C1. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
