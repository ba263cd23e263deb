// The Resource Manager against what the real one answered (tests/conformance): every recorded case
// that needs no AArch64 code.

import assert from "node:assert/strict";
import { DIFFERENCES } from "../../conformance/differences.ts";
import { casesOf, isReplayed, Replay } from "./replay.ts";

for (const group of ["rm-lengths", "rm-misc", "rm-transport", "memparcel", "vm-lifecycle", "guest-rpc"]) {
  Deno.test(`the recorded cases of ${group} give what was recorded`, () => {
    const failures: string[] = [];
    const different = DIFFERENCES.filter((difference) => difference.group === group).flatMap(({ cases }) => cases);
    let replay: Replay | undefined;
    for (const each of casesOf(group).filter((each) => isReplayed(each) && !different.includes(each.name))) {
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
