// The other thread of a compiler in tests: it rests soon.

import { compileModules } from "../../../../../src/cpu/core/compiling.ts";

const REST = 100;

globalThis.onmessage = ({ data }: MessageEvent) => {
  compileModules(data, REST);
  globalThis.postMessage("ended");
};
globalThis.postMessage("ready");
