export { createRecordings, type Recordings } from './recordings.ts';
export { renderEvent, renderHeader, replay, type ReplayOptions, type ReplayResult } from './render.ts';
export { readTimeline, type TimelineItem } from './timeline.ts';
