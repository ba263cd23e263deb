import assert from "node:assert/strict";
import fc from "fast-check";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import {
  cells,
  cells64,
  type DevicetreeNode,
  findNode,
  node,
  type PropertyValue,
  setProperties,
  walk,
} from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import type { PhoneName } from "../../../src/app/configuration/keys/names.ts";
import { phoneLintRules } from "../../../src/app/configuration/phone-settings.ts";
import { qemuDevicetree } from "../../../src/machine/host/boards/qemu-virt/devicetree.ts";
import { QEMU_RAM_BASE } from "../../../src/machine/host/boards/qemu-virt/map.ts";
import { guestDevicetree } from "../../../src/machine/host/boards/el2/devicetree.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { Refusal } from "../../../src/machine/resource-manager/calls/refusals.ts";
import { readVmConfig } from "../../../src/machine/resource-manager/config/vm-config.ts";
import { lintVm } from "../../../src/app/configuration/vm-lint.ts";
import { withHint } from "../../../src/kit/support/text/did-you-mean.ts";
import { MIB, vmPlan } from "../../machine/host/plans.ts";

/** A tree with nothing wrong: the one that the native host writes. */
function sound(own = false): ReturnType<typeof guestDevicetree> {
  const schedule = own ? { affinity: "pinned", affinityMap: [0], priority: -1, timeslice: 5000 } as const : "proxy";
  const links = [{ kind: "message-queue-pair", label: 1, peer: "b", depth: 8, size: 240 }] as const;
  const plan = vmPlan("a", { schedule, console: !own, links });
  return guestDevicetree(plan, boardOf(plan).layout(plan));
}

/** The findings of the sound tree with a change, a line each. */
function findings(change: (root: DevicetreeNode) => void, own = false): string[] {
  const tree = sound(own);
  change(tree.root);
  return lintVm(writeDevicetree(tree)).map(({ kind, path, property, what, does }) =>
    `${kind} ${path} ${property ?? "-"}: ${withHint(what, does)}`
  );
}

/** Findings on `properties` of the node at `path`. */
function with_(path: string, properties: Record<string, PropertyValue>, own = false): string {
  return findings((root) => setProperties(findNode(root, path)!, properties), own).join("\n");
}

const CONFIG = "/gunyah-vm-config";

Deno.test("the devicetrees that the native host writes have nothing wrong", () => {
  assert.deepEqual(findings(() => {}), []);
  assert.deepEqual(findings(() => {}, true), []);
});

Deno.test("what is misspelt or of another length is named, with what counts instead", () => {
  const unknown = /^ignored \/gunyah-vm-config image-nmae: unknown property; did you mean "image-name"\? Silently ignored$/;
  assert.match(with_(CONFIG, { "image-nmae": "x" }), unknown);
  assert.match(with_(CONFIG, { "os-type": "windows" }), /^ignored \S+ os-type: "windows" is not linux/);
  assert.match(
    with_(CONFIG, { "vm-attrs": ["no-resett"] }),
    /^ignored \S+ vm-attrs: unknown attribute "no-resett"; did you mean "no-reset"/,
  );
  assert.match(
    with_(`${CONFIG}/memory`, { "size-max": cells(1) }),
    /^ignored \S+\/memory size-max: has 4 bytes, not the 8 of 2 cells, as \/gunyah-vm-config sets them; ignored; everything after base-addr/,
  );
  assert.match(with_(`${CONFIG}/memory`, { "#size-cells": 1 }), /^ignored \S+ #size-cells: cell sizes count in the parent only/);
  const pair = `${CONFIG}/vdevices/message-queue-pair-1`;
  assert.match(
    with_(pair, { "queue-depth": cells64(4) }),
    /^ignored \S+ queue-depth: has 8 bytes, not the 4 of one cell; ignored; 8 is used/,
  );
  assert.match(with_(pair, { interrupts: [0, 1] }), /^ignored \S+ interrupts: is not a list of .*; the Resource Manager chooses/);
  assert.match(with_(pair, { "vdevice-type": "doorbel" }), /^ignored \S+ vdevice-type: "doorbel" is not a type .*did you mean "doorbell"/);
  const bell = `${CONFIG}/vdevices/bell-1`;
  assert.match(
    with_(bell, { "source-can-clean": true }),
    /a misspelling of source-can-clear; ignored by the real Resource Manager; el2 accepts/,
  );
  const child = findings((root) => findNode(root, CONFIG)!.children.push(node("memroy")));
  assert.match(child.join(), /^ignored \/gunyah-vm-config\/memroy -: unknown node; did you mean "memory"/);
});

Deno.test("what means something else than it says is named", () => {
  const odd = with_(`${CONFIG}/memory`, { "base-address": cells64(0x8000_1000) });
  assert.match(odd, /^changed \S+ base-address: 0x80001000 is not 2 MiB aligned; rounded up to 0x80200000$/);
  assert.match(
    with_(`${CONFIG}/vcpus`, { affinity: "proxi" }, true),
    /^changed \S+ affinity: "proxi" .*did you mean "proxy"\? Static is used/,
  );
  assert.match(with_(`${CONFIG}/vcpus`, { "sched-priority": 1 }), /^ignored \S+ sched-priority: a proxied vCPU runs where its caller runs/);
  assert.match(with_(`${CONFIG}/interrupts`, { config: 1 }), /^changed \S+ config: a phandle instead of a path; accepted/);
});

Deno.test("RAM may begin at 1 GiB where the driver fills it on demand: in QEMU's VMs that start in flash, and on phones of today", () => {
  const code = new Uint8Array(0x1000);
  const flash = { code, size: 2 * MIB };
  const plan = vmPlan("a", { platform: "qemu-virt", base: QEMU_RAM_BASE, memory: 64 * MIB, flash });
  const lines = (bytes: Uint8Array, rules = {}) =>
    lintVm(bytes, rules).map(({ kind, path, property, what }) => `${kind} ${path} ${property}: ${what}`);
  const wrong = lines(writeDevicetree(qemuDevicetree(plan, boardOf(plan).layout(plan))));
  assert.deepEqual(wrong.filter((line) => line.startsWith("refused")), []);

  const low = sound();
  setProperties(findNode(low.root, `${CONFIG}/memory`)!, { "base-address": cells64(QEMU_RAM_BASE) });
  const about = (name: PhoneName) => lines(writeDevicetree(low), phoneLintRules(name)).filter((line) => line.includes("base-address"));
  const refused = [`refused ${CONFIG}/memory base-address: 0x40000000 is where the info page goes`];
  assert.deepEqual(["sm8650", "sm8750", "sm8850"].map((name) => about(name as PhoneName)), [refused, [], []]);
});

Deno.test("what VM_INIT or VM_START refuses is named with the error", () => {
  const init = (error: string) => new RegExp(`; VM_INIT answers ${error}; the VM is INIT_FAILED$`);
  assert.match(with_(`${CONFIG}/vcpus`, { "sched-priority": 4 }, true), /sched-priority 4 gives 36; .*VM_INIT answers NORESOURCE/);
  assert.match(with_(`${CONFIG}/vcpus`, { "sched-timeslice": 50 }, true), /sched-timeslice 50 us is outside 100\.\.100000/);
  assert.match(with_(`${CONFIG}/vcpus`, { "affinity-map": [0, 1] }, true), init("MEM_INVALID"));
  assert.match(with_("/cpus/cpu@0", { status: "broken" }), init("MEM_INVALID"));
  assert.match(with_(CONFIG, { "vm-attrs": ["crash-fatal"] }), init("ARGUMENT_INVALID"));
  assert.match(with_(CONFIG, { "gic-irq-ranges": [1, 1] }), init("ARGUMENT_INVALID"));
  assert.match(with_(`${CONFIG}/memory`, { "is-direct": true }), init("ARGUMENT_INVALID"));
  assert.match(with_(`${CONFIG}/memory`, { "base-address": cells64(0x4000_0000) }), /info page goes; VM_START answers NORESOURCE/);
  assert.match(with_(`${CONFIG}/memory`, { "base-address": cells(0x8000_0000) }), /refused .*no effective base-address: 0x28800000/);
  assert.match(findings((root) => root.children.push(node("hypervisor"))).join(), /refused \/hypervisor -: the Resource Manager creates/);
  assert.match(findings((root) => root.children.splice(root.children.findIndex(({ name }) => name === "chosen"), 1)).join(), /no \/chosen/);
  const reserved = (root: DevicetreeNode) => root.children.push(node("reserved-memory", {}, [node("buffer@90000000", { reg: [0, 1, 0] })]));
  assert.match(findings(reserved).join(), /buffer@90000000 -: has no qcom,label.*without such a parcel/);
  const links = (root: DevicetreeNode) =>
    [1, 2].map((name) => root.children.push(node(`l${name}`, { "vdevice-type": "rm-rpc", generate: "/hypervisor/rm" })));
  assert.match(findings(links).join(), /refused \/l2 -: a second rm-rpc/);
});

Deno.test("a finding says where in the blob its property is", () => {
  const tree = sound();
  setProperties(findNode(tree.root, CONFIG)!, { colour: "blue" });
  const blob = writeDevicetree(tree);
  const [{ offset }] = lintVm(blob);
  const view = new DataView(blob.buffer);
  assert.deepEqual([view.getUint32(offset), view.getUint32(offset + 4)], [3, 5], "an FDT_PROP token and the length of the value");
  assert.deepEqual(new TextDecoder().decode(blob.subarray(offset + 12, offset + 16)), "blue");
});

Deno.test("whatever the bytes are, the lint answers, and it finds a refusal wherever the reader refuses", () => {
  const sites = [...walk(sound(true).root)].flatMap(({ path, node: each }) =>
    [...each.properties.keys()].map((name) => [path, name] as const)
  );
  const change = fc.tuple(fc.constantFrom(...sites), fc.uint8Array({ maxLength: 24 }));
  fc.assert(fc.property(fc.array(change, { maxLength: 5 }), (changes) => {
    const tree = sound(true);
    for (const [[path, name], value] of changes) findNode(tree.root, path)?.properties.set(name, value);
    const found = lintVm(writeDevicetree(tree));
    let refused = false;
    try {
      readVmConfig(tree.root);
    } catch (failure) {
      assert.ok(failure instanceof Refusal);
      refused = true;
    }
    if (refused) assert.ok(found.some(({ kind, does }) => kind === "refused" && does.startsWith("VM_INIT")), "the refusal is found");
  }));
  const blob = writeDevicetree(sound());
  fc.assert(fc.property(fc.nat(blob.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, bytes) => {
    const damaged = blob.slice();
    damaged.set(bytes.subarray(0, damaged.length - at), at);
    const found = lintVm(damaged);
    if (!readDevicetree(damaged).ok) assert.match(found[0].what, /malformed/);
  }));
});

Deno.test("rules of phones: one good and one bad tree for each", () => {
  const pool = (properties: Record<string, PropertyValue>, more: DevicetreeNode[] = []) =>
    findings((root) => {
      root.children.push(
        node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true }, [
          node("pool", { compatible: "restricted-dma-pool", size: cells64(0x40_0000), ...properties }),
        ]),
      );
      findNode(root, `${CONFIG}/vdevices`)!.children.push(...more);
    }).filter((line) => line.startsWith("changed"));
  assert.deepEqual(pool({ alignment: cells64(0x1_0000) }), []);
  assert.match(pool({ alignment: cells64(0x1000) }).join(), /^changed \/reserved-memory\/pool alignment: is not a multiple of 0x10000/);
  const place = { reg: cells64(0x9000_0000, 0x40_0000), "qcom,label": 1 };
  const shm = node("shm", { "vdevice-type": "shm", "peer-default": true, "qcom,label": 1 });
  assert.match(
    pool(place).join(),
    /^changed \/reserved-memory\/pool -: no shm vdevice is for this pool; phones with android14-6\.1 refuse/i,
  );
  assert.deepEqual(pool(place, [shm]), []);
  const buffer = (base: number) =>
    node("shm", { "vdevice-type": "shm", "peer-default": true }, [
      node("memory", { label: 1, "#address-cells": 2, base: cells64(base) }),
    ]);
  const bare = { reg: cells64(0x9000_0000, 0x40_0000) };
  assert.deepEqual(pool(bare, [buffer(0x9000_0000)]), []);
  assert.match(
    pool(bare, [buffer(0x9100_0000)]).join(),
    /^changed \/reserved-memory\/pool reg: no shm vdevice has its buffer at 0x90000000/,
  );

  const reserved = (properties: Record<string, PropertyValue>, more: DevicetreeNode[] = []) =>
    findings((root) => {
      root.children.push(
        node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true }, [node("child", properties)]),
      );
      findNode(root, `${CONFIG}/vdevices`)!.children.push(...more);
    }).filter((line) => line.startsWith("refused"));
  assert.deepEqual(reserved(bare, [buffer(0x9000_0000)]), []);
  assert.match(reserved(bare).join(), /^refused \/reserved-memory\/child -: has no qcom,label: it must be exactly where a parcel/);
  const fence: Record<string, PropertyValue> = { reg: cells64(0x4000_0000, 0x10_0000), "no-map": true };
  assert.match(reserved(fence).join(), /^refused \/reserved-memory\/child -: keeps the VM off memory .* needed with android15-6\.6/);

  const memory = (...ranges: number[]) => with_("/memory", { reg: cells64(...ranges) });
  assert.equal(memory(0x8000_0000, 0x100_0000), "");
  assert.match(memory(0x8000_0000, 0x100_0000, 0x9000_0000, 0x100_0000), /^changed \/memory reg: has several ranges\W+EDK2 uses the first/);
  assert.match(with_(`${CONFIG}/vcpus`, { "no-timer-wakeups": true }), /^ignored \S+ no-timer-wakeups: is a property of newer builds/);

  const filled = (bytes: number) => findings((root) => setProperties(findNode(root, "/chosen")!, { bootargs: "x".repeat(bytes) }));
  assert.deepEqual(filled(0x4000), []);
  assert.match(filled(0x8000).join(), /^changed \/ -: the devicetree has \d+ bytes\W+EDK2 copies it to a place for 32768 bytes/);
});
