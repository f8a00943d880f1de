/** Tests whose output is another one through the gateway, and has to be: why. Shown in docs/reference/transparency.md. */
export const exceptions: ReadonlyMap<string, string> = new Map<string, string>();
