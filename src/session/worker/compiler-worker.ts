// The module of the thread that compiles regions for the machine's worker. That starts no other
// itself: the thread that started it does. This one has no right but to read its code, and gives
// that up before it hears of a machine. It serves the machine whose message comes first.

import { compileModules } from "../../cpu/core/compiling.ts";
import { giveUpRights, giveUpServices, isConfined } from "./rights/given-up.ts";

if (isConfined()) {
  giveUpServices();
  giveUpRights();
}
globalThis.onmessage = ({ data }) => {
  compileModules(data);
  globalThis.close();
};
// Messages posted before it listens could be lost.
globalThis.postMessage("ready");
