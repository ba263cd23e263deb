// The Resource Manager against what the real one answered (tests/conformance): every recorded case
// that needs no AArch64 code.

import assert from "node:assert/strict";
import { casesOf, isReplayed, Replay } from "./replay.ts";

/** A case about the hypervisor's answer, where el2 gives the document's ADDR_INVALID. */
const OTHERS = "msgqueue_receive of a 16-byte reply into an unmapped buffer";

for (const group of ["rm-lengths", "rm-misc", "rm-transport", "memparcel", "vm-lifecycle", "guest-rpc"]) {
  Deno.test(`the recorded cases of ${group} give what was recorded`, () => {
    const failures: string[] = [];
    let replay: Replay | undefined;
    for (const each of casesOf(group).filter((each) => isReplayed(each) && each.name !== OTHERS)) {
      if (each.fresh) replay = undefined;
      try {
        (replay ??= new Replay()).run(each);
        if (each.fresh) replay = undefined;
      } catch (failure) {
        failures.push(`${each.name}: ${failure instanceof Error ? failure.message : failure}`);
        replay = undefined;
      }
    }
    assert.equal(failures.join("\n\n"), "");
  });
}
