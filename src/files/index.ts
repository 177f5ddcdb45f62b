/** Loads and saves tensors in files of PyTorch, safetensors and NumPy. */
export { type FileKind, kindOfFile } from './kind.js';
export { loadNpy, saveNpy } from './npy.js';
export { loadNpz, type NpzOptions, saveNpz } from './npz.js';
export { PthObject, type PthValue } from './pickle/plain.js';
export { loadPth, type PthOptions } from './pth-load.js';
export { savePth } from './pth-save.js';
export {
  loadSafetensors,
  openSafetensors,
  type SafetensorsEntry,
  SafetensorsFile,
  saveSafetensors,
} from './safetensors.js';
