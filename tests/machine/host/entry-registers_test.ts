// Registers at a kernel's first instruction, on each platform: those of Linux's booting.rst.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { imageOf } from "../../app/cli/program.ts";
import { demoSystem, runUntil } from "../../session/inspection/system.ts";
import { elfOf } from "../../support/elf-file.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** A kernel that stays where it is entered. */
const STAYS = imageOf([0x1400_0000]);

const KEYS = {
  "el2": 'schedule = "proxy"',
  "el2, own schedule": 'schedule = "own"',
  "crosvm": 'platform = "crosvm"',
  "qemu-virt": 'platform = "qemu-virt"',
  "el2 on GenieZone": 'hypervisor = "geniezone"',
  "crosvm on GenieZone": 'platform = "crosvm"\nhypervisor = "geniezone"',
  "qemu-virt on GenieZone": 'platform = "qemu-virt"\nhypervisor = "geniezone"\nmsi = "gicv2m"',
};

/** The machine, and a check of X0 to X3 of a VM's first vCPU, whose memory begins at `base`. */
function checkRegisters(system: GuestSystem, vm: string, base: bigint, size: bigint): void {
  const [vcpu] = system.symbols.vcpus(vm);
  assert.ok(vcpu, `${vm} has no vCPU that runs`);
  assert.ok(vcpu.usage.instructions > 100, `${vm}: ${vcpu.usage.instructions} instructions`);
  const x = [0, 1, 2, 3].map((number) => vcpu.registers.getX(number));
  assert.ok(x[0] >= base && x[0] < base + size && x[0] % 8n === 0n, `${vm}: X0 is 0x${x[0].toString(16)}, not a devicetree`);
  assert.deepEqual(x.slice(1), [0n, 0n, 0n], vm);
}

for (const [name, keys] of Object.entries(KEYS)) {
  Deno.test(`a kernel is entered with X1 to X3 zero: ${name}`, async () => {
    await inFolder(async (folder) => {
      await Deno.writeFile(`${folder}/Image`, STAYS);
      const text = 'el2 = 1\n[machine]\nmemory = "128MiB"\n[host]\nmemory = "64MiB"\ngzvm = true\n' +
        `[vm.a]\nkernel = "Image"\nmemory = "16MiB"\n${keys}\n`;
      const system = await demoSystem(text, undefined, folder);
      runUntil(system, 50e6);
      checkRegisters(system, "a", 0x4000_0000n, 0xc000_0000n);
    });
  });
}

/** The machine of a primary VM, after some of its instructions. */
async function primary(key: "kernel" | "image", bytes: Uint8Array): Promise<GuestSystem> {
  let system: GuestSystem | undefined;
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/file`, bytes);
    const text = `el2 = 1\n[machine]\nmemory = "64MiB"\n[host]\nkind = "image"\n${key} = "file"\n`;
    system = await demoSystem(text, undefined, folder);
    runUntil(system, 10e6);
    checkRegisters(system, "host", 0x4000_0000n, 0x400_0000n);
  });
  assert.ok(system);
  return system;
}

const magicAt = ({ machine }: GuestSystem, address: number) =>
  new DataView(Uint8Array.from(machine.ram.bytes(address, 4)).buffer).getUint32(0);

Deno.test("a kernel is entered with X1 to X3 zero: as the primary VM", async () => {
  await primary("kernel", STAYS);
});

Deno.test("an ELF that is linked high runs as the primary VM, and finds the devicetree at the start of RAM and by X0", async () => {
  const file = elfOf([0x1400_0000], 0x4010_0000, 0xffff_0000_4010_0000n);
  const system = await primary("image", file), [{ registers }] = system.symbols.vcpus("host");
  assert.equal(magicAt(system, 0x4000_0000), 0xd00d_feed);
  assert.deepEqual([registers.getX(0), registers.pc], [0x4000_0000n, 0x4010_0000n]);
});

Deno.test("code without a header runs as the primary VM from the start of RAM", async () => {
  const system = await primary("image", Uint8Array.of(0, 0, 0, 0x14));
  assert.equal(system.symbols.vcpus("host")[0].registers.pc, 0x4000_0000n);
});
