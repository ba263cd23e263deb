// A bare-metal primary VM that runs a GenieZone VM by GenieZone's calls, and a Gunyah VM beside it
// (programs/geniezone.c).

import assert from "node:assert/strict";
import { buildGuest } from "../../scripts/guests.ts";
import { encodeRequest, type RpcRequest } from "../../src/abi/rpc/message.ts";
import type { Fields, Values } from "../../src/abi/rpc/layout.ts";
import { encodePackets, PacketType } from "../../src/abi/rpc/packet.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../src/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_START } from "../../src/abi/rpc/messages/lifecycle.ts";
import { MEM_SHARE, MemType } from "../../src/abi/rpc/messages/memory.ts";
import { VM_GET_HYP_RESOURCES } from "../../src/abi/rpc/messages/resources.ts";
import { AuthType, Vmid } from "../../src/abi/rpc/messages/vm.ts";
import { asVmid } from "../../src/abi/numbers.ts";
import { Access } from "../../src/abi/words.ts";
import { catalogEntry } from "../../src/catalog/catalog.ts";
import { planText } from "../../src/configuration/plan-run.ts";
import type { VmPlan } from "../../src/host/plan.ts";
import { vmContents } from "../../src/host/vm-contents.ts";
import { DEVICETREE_SIZE, gicFrames, layoutVm } from "../../src/host/vm-layout.ts";
import { nativeHostOf } from "../host/plans.ts";
import { Guests } from "./guest.ts";

const ASSETS = new URL("../../assets/guests", import.meta.url).pathname;
/** Where the primary VM keeps its VMs' memory. */
const GENIEZONE = 0x6000_0000, GUNYAH = 0x5f00_0000;
/** The VMID that the Resource Manager gives first. */
const FIRST_VMID = asVmid(0x80);

/** The requests that make and start a VM whose memory is at GUNYAH. */
function requestsFor(plan: VmPlan): Uint8Array[] {
  const vmid = FIRST_VMID;
  const packets: Uint8Array[] = [];
  const add = <Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>) => {
    packets.push(...encodePackets({ type: PacketType.Request, sequence: 0, id: message.id, payload: encodeRequest(message, value) }));
  };
  const acl = [vmid, Vmid.Hlos].map((vmid) => ({ vmid, rights: Access.RWX }));
  const sgl = [{ address: BigInt(GUNYAH), size: BigInt(plan.memory) }];
  const image = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(layoutVm(plan).devicetree), dt_size: BigInt(DEVICETREE_SIZE) };
  add(VM_ALLOCATE, { vmid: 0 });
  add(MEM_SHARE, { mem_type: MemType.Normal, flags: 0, label: 0, acl, sgl, attributes: [] });
  add(VM_CONFIG_IMAGE, { vmid, auth_type: AuthType.None, handle: 0, ...image });
  add(VM_INIT, { vmid });
  add(VM_GET_HYP_RESOURCES, { vmid });
  add(VM_START, { vmid });
  return packets;
}

/** The primary VM's initial ramdisk: struct bundle of the program. */
function bundleOf(geniezone: VmPlan, gunyah: VmPlan | undefined): Uint8Array {
  const placed = (plan: VmPlan, base: number) => vmContents(plan).map(({ offset, bytes }) => ({ address: base + offset, bytes }));
  const blobs = [...placed(geniezone, GENIEZONE), ...gunyah ? placed(gunyah, GUNYAH) : []];
  const packets = gunyah ? requestsFor(gunyah).map((bytes) => ({ address: 0, bytes })) : [];
  const { gicd, gicr } = gicFrames(geniezone);
  const { base, memory, image } = geniezone;
  const head = [
    ...[blobs.length, packets.length, GENIEZONE, memory, base, base + image.entry, base + layoutVm(geniezone).devicetree],
    ...[gicd.base, gicr.base, Number(gunyah !== undefined)],
  ];
  const all = [...blobs, ...packets];
  let at = 8 * (head.length + 3 * all.length);
  const entries = all.flatMap(({ address, bytes }) => {
    const offset = at;
    at = Math.ceil((at + bytes.length) / 8) * 8;
    return [address, offset, bytes.length];
  });
  const result = new Uint8Array(at);
  new BigUint64Array(result.buffer, 0, head.length + entries.length).set([...head, ...entries].map(BigInt));
  for (const [index, { bytes }] of all.entries()) result.set(bytes, entries[3 * index + 1]);
  return result;
}

/** A system whose primary VM is the program, with these VMs. Paths are relative to `folder`. */
async function primaryWith(vms: string, { smc = false, folder = ASSETS } = {}): Promise<Guests> {
  const planned = await planText(`el2 = 1\n[machine]\nmemory = "2GiB"\n[host]\ngzvm = true\n${vms}`, undefined, folder);
  assert.ok(planned.ok, planned.ok ? "" : planned.errors.join("\n"));
  const { vms: plans } = nativeHostOf(planned.run);
  const made = await Deno.makeTempDir({ prefix: "el2-geniezone-" });
  try {
    const source = new URL("programs/geniezone.c", import.meta.url).pathname;
    await buildGuest(source, `${made}/primary.elf`, `${made}/primary.bin`);
    const bundle = bundleOf(
      plans.find(({ hypervisor }) => hypervisor === "geniezone")!,
      plans.find(({ hypervisor }) => hypervisor === "gunyah"),
    );
    await Deno.writeFile(`${made}/bundle`, bundle);
    const machine = '[machine]\ncpus = 1\nmemory = "1GiB"\ngeniezone = true\n';
    const host = `[host]\nkind = "image"\nkernel = "primary.bin"\ninitrd = "bundle"\ncmdline = "smc=${Number(smc)}"\n`;
    return await Guests.configured(`el2 = 1\n${machine}${host}`, made);
  } finally {
    await Deno.remove(made, { recursive: true });
  }
}

const HELLO = (name: string, hypervisor: string) =>
  `[vm.${name}]\nhypervisor = "${hypervisor}"\nimage = "hello.bin"\nmemory = "4MiB"\ncmdline = "ticks=3 ms=2"\n`;

for (const smc of [false, true]) {
  Deno.test(`a bare-metal primary runs a GenieZone VM by ${smc ? "SMC" : "HVC"} and a Gunyah VM beside it`, async () => {
    const guests = await primaryWith(HELLO("gz", "geniezone") + HELLO("gunyah", "gunyah"), { smc });
    const console = guests.console("host");
    await console.expect(new RegExp(`^GenieZone 16 by ${smc ? "SMC" : "HVC"}$`, "m"), 2);
    assert.equal(await guests.end(2), "SYSTEM_OFF", console.text);
    const lines = console.text.split("\n");
    const ours = ["hello from EL1", "tick 1", "tick 2", "tick 3"];
    for (const line of ours) assert.ok(lines.includes(line) && lines.includes(`gunyah: ${line}`), `${line}:\n${console.text}`);
    assert.ok(lines.includes("GenieZone VM: system event 1"), console.text);
    assert.ok(lines.some((line) => /^GenieZone VM: 0 private, 4194304 shared; \d+ MMIO, \d+ idle$/.test(line)), console.text);
    assert.equal(lines.at(-2), "both have ended");
  });
}

Deno.test("Debian boots to its prompt in a GenieZone VM of a bare-metal primary, beside a Gunyah VM", async () => {
  await catalogEntry("debian");
  const debian = '[vm.gz]\nhypervisor = "geniezone"\nkernel = "catalog:debian/Image"\ninitrd = "catalog:debian/initrd"\n' +
    'cmdline = "console=ttyAMA0"\nmemory = "320MiB"\n';
  const guests = await primaryWith(debian + HELLO("gunyah", "gunyah").replace("ticks=3 ms=2", "ms=1000"));
  const console = guests.console("host");
  await console.expect(/gunyah: hello from EL1/, 1);
  await console.expect(/EL2-READY/, 10);
  await console.expect(/\/root # /, 10);
  await console.expect(/gunyah: tick \d/, 2);
  // The interrupt of typed characters is IRQ_LINE's.
  console.type("grep pl011 /proc/interrupts; echo typed-$?");
  await console.expect(/ [1-9]\d* +GICv3 +33 Level +uart-pl011[^]*typed-0\n/, 10);
});
