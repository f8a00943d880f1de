export { createAnalyser, type Analyser, type AnalyserLimits } from './analyser.ts';
export { analyse } from './analyse.ts';
export { loadParser, SyntaxFault } from './parser.ts';
