// Core files of a VM: their segments hold the memory that Linux's readers read, and gdb opens them.

import assert from "node:assert/strict";
import { learnedKernel } from "./learned-kernel.ts";
import { readLog } from "../../../src/inside/linux/structures/log.ts";
import type { PhysicalMemory } from "../../../src/inside/linux/kernel/memory.ts";
import { Reading } from "../../../src/inside/linux/kernel/reading.ts";
import { readTasks } from "../../../src/inside/linux/structures/tasks.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { gdbCommand } from "../../../scripts/native-tools.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { Debian, RELEASES } from "./debian.ts";
import { writtenCore } from "./written-core.ts";

const PT_LOAD = 1, PT_NOTE = 4;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly virtual: bigint;
  readonly physical: number;
  readonly size: number;
}

/** The segments of a core file (System V ABI: ELF64). */
function segmentsOf(file: Uint8Array): Segment[] {
  const view = new DataView(file.buffer, file.byteOffset), big = (at: number) => view.getBigUint64(at, true);
  assert.equal(view.getUint16(16, true), 4, "ET_CORE");
  return Array.from({ length: view.getUint16(56, true) }, (_, index) => {
    const at = 64 + 56 * index;
    return {
      ...{ type: view.getUint32(at, true), offset: Number(big(at + 8)), virtual: big(at + 16) },
      ...{ physical: Number(big(at + 24)), size: Number(big(at + 32)) },
    };
  });
}

for (const release of RELEASES) {
  Deno.test(`a core file of Debian ${release} has all of its memory, at physical and at virtual addresses`, async () => {
    const debian = await Debian.booted(release, 2);
    const file = writtenCore(debian), segments = segmentsOf(file);
    const loads = segments.filter(({ type }) => type === PT_LOAD), notes = segments.filter(({ type }) => type === PT_NOTE);
    const bytes = (at: number, size: number, key: "physical" | "virtual") => {
      const found = loads.find((one) => at >= Number(one[key]) && at + size <= Number(one[key]) + one.size);
      return found && file.subarray(found.offset + at - Number(found[key]), found.offset + at - Number(found[key]) + size);
    };
    assert.equal(notes.length, 1);
    const text = new TextDecoder("latin1").decode(file.subarray(notes[0].offset, notes[0].offset + notes[0].size));
    assert.match(text, /VMCOREINFO\0+OSRELEASE=/);
    assert.match(text, /QEMU\0/, "there are notes of all CPUs");
    // A note for each vCPU: a name of 8 bytes, then the process at 32.
    const notesOf = [...text.matchAll(/CORE\0{4}/g)].map(({ index }) => new DataView(file.buffer, notes[0].offset + index + 8));
    assert.deepEqual(notesOf.map((note) => note.getUint32(32, true)), [1, 2], "the CPU's number and one");

    const physical: PhysicalMemory = {
      page: (ipa) => bytes(ipa, PAGE_SIZE, "physical"),
      ranges: () => loads.map(({ physical: ipa, size }) => ({ ipa, size })),
    };
    const [vcpu] = debian.system.symbols.vcpus("host"), register = (name: "TTBR1_EL1" | "TCR_EL1") => vcpu.registers.getRegister(name);
    const registers = { ttbr1: register("TTBR1_EL1"), tcr: register("TCR_EL1") };
    const kernel = learnedKernel({ physical, registers, tables: debian.system.symbols.all("host") });
    const reading = new Reading("host", kernel, kernel.memory(physical));
    assert.deepEqual(readLog(reading), debian.rows("linux.log"));
    assert.deepEqual(readTasks(reading, false), debian.rows("linux.ps"));

    // Virtual addresses are those that the kernel itself uses.
    const code = kernel.address(reading.memory, "_stext");
    for (const segment of loads) {
      const first = reading.memory.page(segment.virtual);
      if (!first) continue;
      assert.deepEqual(
        reading.memory.bytes(segment.virtual, 64),
        file.slice(segment.offset, segment.offset + 64),
        `segment at ${segment.virtual}`,
      );
    }
    assert.ok(loads.some(({ virtual, size }) => code >= virtual && code < virtual + BigInt(size)), "a segment has the kernel's code");
    assert.ok(loads.some(({ virtual }) => virtual >= 0xffff_0000_0000_0000n && virtual < 0xffff_8000_0000_0000n), "a linear map");
  });
}

Deno.test("gdb opens a core file: its threads are the vCPUs, with their registers and memory", async () => {
  const debian = await Debian.booted("bookworm", 2);
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/vmcore`, writtenCore(debian));
    const vcpus = debian.system.symbols.vcpus("host"),
      code = debian.system.symbols.all("host")[0].find("do_idle")?.address ?? assert.fail();
    const [gdb, ...args] = await gdbCommand();
    const commands = [`target core ${folder}/vmcore`, "info threads", "thread 1", "p/x $pc", "thread 2", "p/x $pc", `x/wx ${code}`];
    const { stdout, stderr } = await new Deno.Command(gdb, { args: [...args, "-batch", ...commands.flatMap((one) => ["-ex", one])] })
      .output();
    const shown = new TextDecoder().decode(stdout);
    for (const { registers } of vcpus) {
      assert.ok(shown.includes(`= 0x${registers.pc.toString(16)}\n`), shown + new TextDecoder().decode(stderr));
    }
    const { rows } = debian.ask("code", { at: "host:do_idle", size: 1 });
    assert.ok(shown.includes(`:\t${rows[0].word}`), `${shown} ${rows[0].word}`);
  });
});
