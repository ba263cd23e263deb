import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { vmcoreOf } from "../../../../src/session/inspection/linux/vmcore.ts";
import { Looks, View } from "../../../../src/session/inspection/readers/inspected.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { demoPlan, runTo } from "../../snapshots/systems.ts";

/** Values of the ELF header's fields of 16 bits. */
const PN_XNUM = 0xffff, SECTION_HEADER = 64, SEGMENT = 56;

Deno.test("a core file of any number of runs of RAM says how many segments it has, also where the field of 16 bits cannot", async () => {
  const system = assemble(await demoPlan());
  runTo(system, 100_000);
  const view = new View(system, new Looks()), { stage2 } = view.findSpace("vm:hello");
  const [first] = stage2.entries();
  for (const runs of [3, PN_XNUM - 2, PN_XNUM - 1, 70_000]) {
    // Pages of which none follows the one before it.
    stage2.entries = () => Array.from({ length: runs }, (_, page) => ({ ...first, ipa: page * PAGE_SIZE, size: PAGE_SIZE }));
    const { beginning } = vmcoreOf(view, "vm:hello"), elf = new DataView(beginning.buffer);
    const [segments, sections, at] = [elf.getUint16(56, true), elf.getUint16(60, true), Number(elf.getBigUint64(40, true))];
    const count = segments < PN_XNUM ? segments : elf.getUint32(at + 44, true);
    assert.equal(count, runs + 1, "and one of notes");
    assert.deepEqual([segments < PN_XNUM, sections], count < PN_XNUM ? [true, 0] : [false, 1]);
    const notesAt = Number(elf.getBigUint64(64 + 8, true));
    assert.equal(notesAt, 64 + SEGMENT * count + SECTION_HEADER * sections, "notes follow all headers");
    if (sections) assert.deepEqual([at, elf.getUint16(58, true)], [64 + SEGMENT * count, SECTION_HEADER]);
  }
});
