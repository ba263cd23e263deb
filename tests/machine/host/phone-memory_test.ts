// Memory as on phones: RAM at 0x8000_0000 with windows above it, holes, addresses of 40 bits, and
// memory that the Resource Manager adds below (docs/spec/phones.md §A4, §A5, §C1).

import assert from "node:assert/strict";
import { rows } from "../../session/inspection/system.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { Guests } from "../../guests/guest.ts";
import { PROMPT } from "../../support/console.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { LONG } from "../../support/long.ts";

/** Instructions, as text and as words. */
type Program = readonly (readonly [text: string, word: number])[];

/**
 * Turns the MMU on with output addresses of 40 bits, stores a letter to the windows at
 * 0x1_0000_0000 and 0x80_0000_0000, prints both, and ID_AA64MMFR0_EL1.PARange.
 */
const WINDOWS: Program = [
  ["mov x11, #0x80010000", 0xd2b0002b],
  ["add x12, x11, #0x1, lsl #12", 0x9140056c],
  ["orr x13, x12, #0x3", 0xb240058d],
  ["str x13, [x11]", 0xf900016d],
  ["add x14, x11, #0x2, lsl #12", 0x9140096e],
  ["orr x13, x14, #0x3", 0xb24005cd],
  ["str x13, [x11, #8]", 0xf900056d],
  ["mov x13, #0x405", 0xd28080ad],
  ["str x13, [x12]", 0xf900018d],
  ["mov x13, #0x80000000", 0xd2b0000d],
  ["movk x13, #0x401", 0xf280802d],
  ["str x13, [x12, #16]", 0xf900098d],
  ["mov x13, #0x100000000", 0xd2c0002d],
  ["movk x13, #0x401", 0xf280802d],
  ["str x13, [x12, #32]", 0xf900118d],
  ["mov x13, #0x8000000000", 0xd2c0100d],
  ["movk x13, #0x401", 0xf280802d],
  ["str x13, [x14]", 0xf90001cd],
  ["mov x13, #0xff", 0xd2801fed],
  ["msr mair_el1, x13", 0xd518a20d],
  ["mov x13, #0x18", 0xd280030d],
  ["movk x13, #0x80, lsl #16", 0xf2a0100d],
  ["movk x13, #0x2, lsl #32", 0xf2c0004d],
  ["msr tcr_el1, x13", 0xd518204d],
  ["msr ttbr0_el1, x11", 0xd518200b],
  ["isb", 0xd5033fdf],
  ["mrs x13, sctlr_el1", 0xd538100d],
  ["orr x13, x13, #0x1", 0xb24001ad],
  ["msr sctlr_el1, x13", 0xd518100d],
  ["isb", 0xd5033fdf],
  ["mov x0, #0x100000000", 0xd2c00020],
  ["mov x1, #0x8000000000", 0xd2c01001],
  ["mov w2, #0x57", 0x52800ae2],
  ["strb w2, [x0]", 0x39000002],
  ["ldrb w3, [x0]", 0x39400003],
  ["mov w2, #0x48", 0x52800902],
  ["strb w2, [x1, #4095]", 0x393ffc22],
  ["ldrb w4, [x1, #4095]", 0x397ffc24],
  ["mov x6, #0x9000000", 0xd2a12006],
  ["strb w3, [x6]", 0x390000c3],
  ["strb w4, [x6]", 0x390000c4],
  ["mrs x5, id_aa64mmfr0_el1", 0xd5380705],
  ["and w5, w5, #0xf", 0x12000ca5],
  ["add w5, w5, #0x30", 0x1100c0a5],
  ["strb w5, [x6]", 0x390000c5],
  ["mov w5, #0xa", 0x52800145],
  ["strb w5, [x6]", 0x390000c5],
  ["mov w0, #0x84000000", 0x52b08000],
  ["movk w0, #0x8", 0x72800100],
  ["hvc #0x0", 0xd4000002],
];

/** Loads from the hole at 0x8080_0000. */
const HOLE: Program = [
  ["mov x0, #0x80800000", 0xd2b01000],
  ["ldr x1, [x0]", 0xf9400001],
  ["b 8 <.text+0x8>", 0x14000000],
];

/** Stores a letter to 0x4000_1000, prints it, and branches there. */
const LOW: Program = [
  ["mov x0, #0x40000000", 0xd2a80000],
  ["movk x0, #0x1000", 0xf2820000],
  ["mov w2, #0x4c", 0x52800982],
  ["strb w2, [x0]", 0x39000002],
  ["ldrb w3, [x0]", 0x39400003],
  ["mov x6, #0x9000000", 0xd2a12006],
  ["strb w3, [x6]", 0x390000c3],
  ["mov w5, #0xa", 0x52800145],
  ["strb w5, [x6]", 0x390000c5],
  ["br x0", 0xd61f0000],
];

const DRIVERS = ["v17", "ack-6.6", "ack-6.12", "union"];
const PLACES = 'windows = [{ base = 0x100000000, size = "2MiB" }, { base = 0x8000000000, size = "4MiB" }]';
const MACHINE = "[machine]\nipa_bits = 40\ncheck = true\n";

async function run(program: Program, vm: string, tables = MACHINE): Promise<{ shown: string; end: string | undefined; guests: Guests }> {
  let guests: Guests | undefined;
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/guest.bin`, new Uint8Array(Uint32Array.from(program, ([, word]) => word).buffer));
    guests = await Guests.configured(`el2 = 1\n${tables}[vm.a]\nimage = "guest.bin"\nmemory = "8MiB"\n${vm}\n`, folder);
  });
  assert.ok(guests);
  const console = guests.console("a");
  const end = await guests.end(1);
  return { shown: console.text, end, guests };
}

Deno.test("a guest has RAM at 0x80000000 and in windows up to the last of 40 bits, with every driver that fills VMs on demand", async () => {
  for (const device of DRIVERS) {
    const { shown, end, guests } = await run(WINDOWS, PLACES, `${MACHINE}[host]\ndevice = "${device}"\n`);
    assert.deepEqual([shown, end], ["WH2\n", "every VM has ended"], device);
    assert.equal(guests.system.vms.planned("a")?.memory, 14 * 1024 * 1024);
  }
});

Deno.test("so has a VM of GenieZone, and one of crosvm", async () => {
  for (const keys of ['hypervisor = "geniezone"', 'platform = "crosvm"']) {
    const { end, shown, guests } = await run(WINDOWS, `${PLACES}\n${keys}`, `${MACHINE}[host]\ngzvm = true\n`);
    assert.equal(end, "every VM has ended", keys);
    // Its VMM complains, and continues.
    assert.equal(rows(guests.system, "diagnose")[0].verdict, "off");
    // The guest prints to a PL011, which crosvm's platform does not have.
    assert.equal(shown, keys.startsWith("platform") ? "" : "WH2\n", keys);
  }
});

Deno.test("a load from the hole between RAM and a window ends the VM, and the sentence names the address", async () => {
  const { guests } = await run(HOLE, PLACES);
  const [{ verdict, text }] = rows(guests.system, "diagnose");
  assert.equal(verdict, "failed");
  assert.match(text, /data abort: external abort at 0x80000004: ldr x1, \[x0\]/);
});

Deno.test("memory below RAM is read and written, and not executed", async () => {
  const { shown, guests } = await run(LOW, "", '[rm]\nlow_memory = "64KiB"\n');
  assert.equal(shown, "L\n");
  assert.match(rows(guests.system, "diagnose")[0].text, /instruction abort: external abort at 0x40001000/);
  const none = await run(LOW, "", "");
  assert.equal(none.shown, "", "without the key there is no such memory");
});

if (LONG) {
  Deno.test("Debian boots with RAM at 0x80000000, a hole, and windows above, and uses all of it", async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    const vm = 'kernel = "Image"\ninitrd = "initrd"\nmemory = "256MiB"\nsize_max = "512GiB"\ncmdline = "console=ttyAMA0 quiet"\n';
    const places = 'windows = [{ base = 0x100000000, size = "128MiB" }, { base = 0x4000000000, size = "128MiB" }]\n';
    const machine = '[machine]\nmemory = "1GiB"\nipa_bits = 40\n[rm]\nlow_memory = "64KiB"\n';
    for (const device of ["ack-6.6", "ack-6.12", "v17"]) {
      const text = `el2 = 1\n${machine}[host]\nmemory = "64MiB"\ndevice = "${device}"\n[vm.debian]\n${vm}${places}`;
      const debian = (await Guests.configured(text, folder)).console("debian");
      await debian.expect(PROMPT, 120);
      debian.type("grep 'System RAM' /proc/iomem; grep MemTotal /proc/meminfo");
      for (const range of ["80000000-8fffffff", "100000000-107ffffff", "4000000000-4007ffffff"]) {
        await debian.expect(new RegExp(`^${range} : System RAM$`, "m"), 30);
      }
      const [, kib] = await debian.expect(/MemTotal: +(\d+) kB/, 30);
      assert.ok(Number(kib) > 400 * 1024, `${device}: ${kib} KiB`);
      await debian.command("dd if=/dev/zero of=/tmp/big bs=1M count=200 2>/dev/null; wc -c < /tmp/big", /^209715200$/m, 120);
    }
  });
}
