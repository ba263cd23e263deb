import assert from "node:assert/strict";
import { eventColumns } from "../../../../src/app/tui/panes/event-columns.ts";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { phoneRows } from "../phone.ts";
import { Rig } from "../rig.ts";
import { rowsOf } from "../../../../src/model/queries/query.ts";
import { EVENTS } from "../../../../src/model/queries/tables.ts";
import type { RowOf } from "../../../../src/model/queries/table.ts";

Deno.test("f stops following and follows again; a list of what there is does not follow", async () => {
  const rig = new Rig();
  await rig.type("9");
  assert.match(await rig.text(), /= Events =+ o follows/);
  await rig.type("f");
  assert.match(await rig.text(), /= Events =+ G follows/);
  await rig.type("f");
  assert.match(await rig.text(), /= Events =+ o follows/);
  await rig.type("2f");
  assert.match(await rig.text(), /there is nothing to follow/);
});

Deno.test("a switch has the VM that ran before; an event of the machine has none", () => {
  const look = plainLook("dark", "direct", "full");
  const [, vm] = eventColumns(100, false), [some] = rowsOf(EVENTS, { table: "events", rows: phoneRows("events") });
  const nameOf = (row: Pick<RowOf<typeof EVENTS>, "vm" | "vcpu" | "fields">) =>
    vm.pieces({ ...some, ...row }, { look, width: 10, at: 0, bad: false, first: false }).map(({ text }) => text).join("");
  const event = { id: "ev:1", vm: null, vcpu: null };
  assert.equal(nameOf({ ...event, fields: { from: "vcpu:host/0", blocked: "an interrupt (WFI)" } }), `${look.vm("host").letter} host`);
  assert.equal(nameOf({ ...event, vm: "vm:ping", fields: { from: "vcpu:host/0" } }), `${look.vm("ping").letter} ping`);
  assert.equal(nameOf({ ...event, fields: {} }), "");
});
