export { createAnalyser, type Analyser } from './analyser.ts';
export { loadParser } from './parser.ts';
