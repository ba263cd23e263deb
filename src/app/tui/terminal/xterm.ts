// @xterm/headless with types (`xterm-types.d.ts` says why they are ours).

// @ts-types="./xterm-types.d.ts"
export { Terminal } from "@xterm/headless";
export type { IBufferCell, IUnicodeVersionProvider } from "./xterm-types.d.ts";
