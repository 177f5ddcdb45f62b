/** Runs trained students on images. */
export type { ReadyCard } from './card.js';
export {
  type ClassifierOptions,
  type ClassifyOptions,
  classifierOptions,
  type ImageClassifier,
  loadClassifier,
} from './classifier.js';
export type { Prediction } from './engine.js';
export type { ImageInput, RawImage } from './image-input.js';
export { openRuntime, type Runtime, type RuntimeOptions } from './runtime.js';
