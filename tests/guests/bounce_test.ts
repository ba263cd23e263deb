// A guest of ours on crosvm's platform that reads a disk by virtio over PCI, behind our firmware in
// protected VMs: with its queue in the pool it succeeds, without it its VMM ends, and the diagnosis
// says why.

import assert from "node:assert/strict";
import { rows } from "../session/inspection/system.ts";
import { Guests } from "./guest.ts";

const ASSETS = new URL("../../assets/guests/", import.meta.url).pathname;
const PROTECTED = `type = "protected"\nfirmware = "${ASSETS}firmware.bin"\nswiotlb = "2MiB"\n`;

async function run(keys: string, as = "image"): Promise<{ text: string; end: string | undefined; guests: Guests }> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bounce-" });
  try {
    const disk = new Uint8Array(1 << 16);
    disk.set(new TextEncoder().encode("a line of the disk\n"));
    await Deno.writeFile(`${folder}/disk.img`, disk);
    const guests = await Guests.configured(
      `el2 = 1\n[machine]\ncheck = true\n[host]\ngzvm = true\n[vm.a]\nplatform = "crosvm"\n${as} = "${ASSETS}bounce.bin"\n` +
        `memory = "16MiB"\ndevices = [{ kind = "block", image = "disk.img" }]\n${keys}`,
      folder,
    );
    const console = guests.console("a");
    const end = await guests.end(5);
    return { text: console.text, end, guests };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const hypervisor of ["gunyah", "geniezone"]) {
  const via = `hypervisor = "${hypervisor}"\n`;

  Deno.test(`a guest reads a disk by the pool in a protected VM of ${hypervisor}`, async () => {
    const { text, end } = await run(`${via}${PROTECTED}`);
    assert.deepEqual([text, end], ["bounce: by the pool: a line of the disk\n", "every VM has ended"]);
  });

  Deno.test(`a guest that ignores the pool ends the VMM of its protected VM of ${hypervisor}, and the diagnosis names queue and option`, async () => {
    const { text, end, guests } = await run(`${via}${PROTECTED}cmdline = "pool=0"\n`);
    assert.equal(text, "");
    assert.match(end!, /^crashed: a .*first error: a: host access to lent memory region: virtio-block in slot 0: /);
    const [{ verdict, text: said }] = rows(guests.system, "diagnose");
    assert.equal(verdict, "failed");
    assert.match(
      said,
      /queue 0 is in page 0x80[0-9a-f]{6}, which is lent to the protected VM: its kernel needs CONFIG_DMA_RESTRICTED_POOL$/,
    );
  });
}

Deno.test("a BIOS begins 2 MiB after the start of RAM, with the devicetree before it", async () => {
  const { text, end } = await run("", "bios");
  assert.deepEqual([text, end], ["bounce: by its own memory: a line of the disk\n", "every VM has ended"]);
});

Deno.test("a guest of an unprotected VM keeps its queue in its own memory, also if there is a pool", async () => {
  for (const keys of ["", 'swiotlb = "2MiB"\n']) {
    const { text, end } = await run(keys);
    assert.deepEqual([text, end], ["bounce: by its own memory: a line of the disk\n", "every VM has ended"]);
  }
});
