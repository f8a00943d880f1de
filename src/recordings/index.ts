export { asciicast, Harmless } from './asciicast.ts';
export { createRecordings, type Recordings } from './recordings.ts';
export { replay } from './render.ts';
export { readTimeline } from './timeline.ts';
