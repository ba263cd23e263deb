// The library for browsers: one module with all in it, which a page or its worker imports.

import "../host/page-modules.ts";
import { pageComputer } from "../engine/page-computer.ts";
import { missingFeatures } from "../published/features.ts";
import type { OpenRecording } from "../../replays/open-recording.ts";
import { openRecording as open } from "../../replays/opening.ts";
import { useComputer } from "../../../session/outside/computer.ts";
import { UserError } from "../../../kit/support/problem.ts";

/** The exports of the module, which its maker declares around this script. */
declare const exported: { openRecording: typeof open };

useComputer(pageComputer);

exported.openRecording = async (from): Promise<OpenRecording> => {
  const missing = missingFeatures(globalThis.WebAssembly?.validate);
  if (missing.length) throw new UserError(`this browser lacks ${missing.join(", ")}`, "use a newer one");
  return await open(from);
};
