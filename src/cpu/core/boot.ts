// The core for rooms above that make one, and keep its code over runs. All others see interface.ts.

export { type BlueprintStore, type CoreBlueprint, coreFor, equipCores } from "./core-module.ts";
export { WasmCore } from "./core.ts";
export { DECODED_PAGES } from "./state/layout.ts";
export type { CodeSignature } from "./translator/emission/code-signature.ts";
export type { RegionModule } from "./translator/emission/region-module.ts";
export { type CodeBacking, equal } from "./translator/region-store.ts";
export type { UndefinedInstruction } from "./undefined-words.ts";
