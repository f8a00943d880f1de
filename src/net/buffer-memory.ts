import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 count the memory of buffers together with its heap. By itself it collects everything, and walks the whole heap for it, whenever some 64 MB of buffers have come and gone, however
 * short they lived: for every 12 MB that go through an SSH connection, and more than half of the processor's time for them. Counted together, collections of what is young free them.
 *
 * A flag of V8 is no promise: where it is not known, a line on stderr says so, and the collections are back.
 */
export function countBuffersWithHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
