// A state of a vCPU or VM has the same word in the lists of commands, in the lists of the screens,
// in the overview and on the timeline; JSON, TSV and filters keep the specification's.

import assert from "node:assert/strict";
import { VCPU_WORDS } from "../../../src/model/protocol/events.ts";
import { parseFilter } from "../../../src/model/queries/filters/filter.ts";
import { cellText } from "../../../src/model/queries/texts/format.ts";
import { tsvRow } from "../../../src/model/queries/texts/list-text.ts";
import { VCPU_STATES } from "../../../src/model/queries/state-words.ts";
import type { Table } from "../../../src/model/queries/table.ts";
import { VCPUS, VMS } from "../../../src/model/queries/tables.ts";
import { vmStateWord } from "../../../src/session/inspection/readers/objects/read-vms.ts";
import { VmState } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { VM_PHASES } from "../../../src/machine/host/interface.ts";
import { stateMark } from "../../../src/app/tui/look/chip.ts";
import { columnsOf } from "../../../src/app/tui/look/list.ts";
import { themeOf } from "../../../src/app/tui/look/themes.ts";
import { Look } from "../../../src/app/tui/look/theme.ts";

/** A state's word in a list of commands, and in the same list of a screen. */
function words(table: Table, state: string): [command: string, screen: string] {
  const column = columnsOf(table).find(({ name }) => name === "state")!;
  const context = {
    look: new Look({ theme: themeOf("dark"), depth: "none", glyphs: "ascii", braille: false, painted: false }),
    width: 40,
    at: 0,
    bad: false,
    first: false,
  };
  const pieces = column.pieces({ id: "x", state }, context);
  return [cellText(table.columns.state, state), pieces.map(({ text }) => text).join("").replace(/^\S+ /, "")];
}

Deno.test("a state has one word in commands, lists of screens, overview and timeline", () => {
  assert.deepEqual(Object.keys(VCPU_STATES).sort(), VCPU_WORDS.map((word) => word.toLowerCase()).sort());
  const vms = [...Object.values(VmState).map(vmStateWord), ...VM_PHASES];
  for (const [table, states] of [[VCPUS, Object.keys(VCPU_STATES)], [VMS, vms]] as const) {
    for (const state of states) {
      const [command, screen] = words(table, state);
      assert.equal(command, screen, state);
      assert.equal(stateMark(state.toUpperCase()).word, command, state);
    }
  }
});

Deno.test("programs read the specification's words; filters take both", () => {
  const row = { id: "vcpu:a/0", state: "wfi" };
  assert.equal(tsvRow(row, [["state", VCPUS.columns.state]]), "wfi\n");
  for (const filter of ["state=wfi", "state=waits", "state=WFI", "waits", "wfi", "state~^wfi$", "state!=runs"]) {
    assert.ok(parseFilter(filter, VCPUS).matches(row), filter);
  }
  for (const filter of ["state!=waits", "state!=wfi", "state=runs"]) assert.ok(!parseFilter(filter, VCPUS).matches(row), filter);
});
