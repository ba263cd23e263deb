// `el2 vm lint` by the lines of docs/spec/phones.md §A4 and §C: each line has its rules, or the
// reason for which a devicetree does not show it; each rule has a good and a bad tree.

import assert from "node:assert/strict";
import { cells64, type DevicetreeNode, findNode, node, type PropertyValue, setProperties } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { PHONE_RULES, type PhoneRule } from "../../../src/app/configuration/phone-lint.ts";
import { phoneLintRules } from "../../../src/app/configuration/phone-settings.ts";
import { lintVm, type PhoneLintRules } from "../../../src/app/configuration/vm-lint.ts";
import { guestDevicetree } from "../../../src/machine/host/boards/el2/devicetree.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { vmPlan } from "../../machine/host/plans.ts";

const CONFIG = "/gunyah-vm-config";
/** Rules that are not of phones alone. */
type Rule = PhoneRule | "node-without-parcel" | "fence-refused" | "never-compares" | "hypervisor-node" | "config-phandle";

const NOT_IN_TREE = "not in a devicetree";
const BUILT = "crosvm builds it so, and no other value is refused or changed";

/** By line, by its first words: rules, or why there are none. */
const LINES: Readonly<Record<"A4" | "C", Readonly<Record<string, readonly Rule[] | string>>>> = {
  A4: {
    "each parcel that the host SHAREs": ["node-without-parcel"],
    'a low-memory "fence" node': ["fence-refused", "no-fence"],
    "on 6.6/6.12 RM never compares": ["never-compares"],
    "swiotlb": ["default-pool"],
    "shm vdevice per swiotlb region": ["pool-vdevice", "pool-buffer"],
    "`/memory`": ["memory-ranges"],
  },
  C: {
    "0x3F8, 0x2F8, 0x3E8, 0x2E8": ["serial-level"],
    "0x2000 (4 KiB)": ["clock-missing"],
    "0x3000": ["ppi-bell"],
    "0x4000": "GPIO of a fork",
    "0x10000 (16 MiB)": BUILT,
    "0x0104_0000": BUILT,
    "0x01FF_0000": "never on Gunyah",
    "0x0200_0000 (32 MiB)": BUILT,
    "GIC": ["gic-order", "message-parent"],
    "0x7FC0_0000 (4 MiB)": BUILT,
    "0x8000_0000": ["ram-below"],
    "RAM end": BUILT,
    "No RAM below 0x8000_0000": ["ram-below"],
    "Kernel at RAM start; initrd": ["initrd-alignment"],
    "Command line starts with": BUILT,
    "16550A": ["serial-level"],
    "PL030": ["clock-missing"],
    "vmwdt": ["ppi-bell"],
    "battery": BUILT,
    "virtual cpufreq": BUILT,
    "PCI host bridge": NOT_IN_TREE,
    "virtio-pci": NOT_IN_TREE,
    "pvpanic": NOT_IN_TREE,
    "interrupts of PCI": ["message-parent"],
    "SMCCC TRNG": "KVM only",
    "Root: compatible": ["pool-alignment", "pool-unused", "hypervisor-node"],
    "image-name crosvm-vm": ["config-phandle", "newer-property", "bell-label", "size-max"],
    "**crosvm on Gunyah**": NOT_IN_TREE,
    "**crosvm on GenieZone**": NOT_IN_TREE,
    "**QEMU on Gunyah**": NOT_IN_TREE,
    "**QEMU on GenieZone**": NOT_IN_TREE,
    "**Droid-VM's additions**": NOT_IN_TREE,
    "Lent = the host cannot touch it": ["pool-unused"],
    "Entry of edk2-gunyah": ["tree-size", "memory-ranges"],
    "Entry of pvmfw-style firmware": NOT_IN_TREE,
    "Both are generic firmware": NOT_IN_TREE,
  },
};

/** First words of the lines of a section: rows of tables, items of lists, and paragraphs. */
function linesOf(text: string, title: RegExp, end: RegExp): string[] {
  const from = text.slice(text.search(title));
  const section = from.slice(0, from.slice(1).search(end) + 1);
  return section.split(/\n\n+/).flatMap((block) => {
    if (block.startsWith("#")) return [];
    if (block.startsWith("|")) return block.trim().split("\n").slice(2).map((row) => row.split("|")[1].trim());
    return block.startsWith("- ") ? block.split(/^- /m).slice(1) : [block];
  }).map((line) => line.trim()).filter((line) => line !== "");
}

Deno.test("each line of phones.md §A4 and §C has its rules, or the reason for which it has none", async () => {
  const text = await Deno.readTextFile(new URL("../../../docs/spec/phones.md", import.meta.url));
  const found = { A4: linesOf(text, /^### A4\./m, /^### /m), C: linesOf(text, /^## C\./m, /^## /m) };
  for (const section of ["A4", "C"] as const) {
    const unknown = found[section].filter((line) => !Object.keys(LINES[section]).some((words) => line.startsWith(words)));
    assert.deepEqual(unknown, [], section);
    const gone = Object.keys(LINES[section]).filter((words) => !found[section].some((line) => line.startsWith(words)));
    assert.deepEqual(gone, [], section);
  }
  const used = new Set(
    Object.values(LINES).flatMap((lines) => Object.values(lines)).flatMap((rules) => typeof rules === "string" ? [] : rules),
  );
  assert.deepEqual(PHONE_RULES.filter((rule) => !used.has(rule)), [], "rules without a line");
  assert.deepEqual([...used].filter((rule) => CASES[rule] === undefined), [], "rules without a case");
});

type Change = (root: DevicetreeNode) => void;
const set = (path: string, properties: Record<string, PropertyValue>): Change => (root) => setProperties(findNode(root, path)!, properties);
const add = (path: string, ...nodes: DevicetreeNode[]): Change => (root) =>
  void findNode(root, path)!.children.push(...structuredClone(nodes));
const all = (...changes: Change[]): Change => (root) => changes.forEach((change) => change(root));
const reserved = (...children: DevicetreeNode[]): Change =>
  add("/", node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true }, children));
const pool = (more: Record<string, PropertyValue> = {}): DevicetreeNode =>
  node("pool", {
    ...{ compatible: "restricted-dma-pool", phandle: 9, reg: cells64(0x8080_0000, 0x20_0000) },
    ...{ alignment: cells64(0x1_0000), "qcom,label": 1, ...more },
  });
const shm = (base?: number): Change =>
  add(
    `${CONFIG}/vdevices`,
    node("shm", { "vdevice-type": "shm", "peer-default": true, "qcom,label": 1 }, [
      ...base === undefined ? [] : [node("memory", { label: 1, "#address-cells": 2, base: cells64(base) })],
    ]),
  );
const crosvm = set(CONFIG, { "image-name": "crosvm-vm" });
const fence = reserved(node("fence", { reg: cells64(0x4000_0000, 0x10_0000), "no-map": true }));
const parcelless = reserved(node("child", { reg: cells64(0x9000_0000, 0x1000) }));
const device = (name: string, properties: Record<string, PropertyValue>): Change => all(crosvm, add("/", node(name, properties)));
const serial = (trigger: number) => device("U6_16550A@3f8", { compatible: "ns16550a", interrupts: [0, 0, trigger] });
const stall = (kind: number) => device("vmwdt@3000", { compatible: "qemu,vcpu-stall-detector", interrupts: [kind, 15, 1] });
const clock = { compatible: "arm,primecell", "clock-names": "apb_pclk" };
const pci = (more: Record<string, PropertyValue>) => device("pci", { compatible: "pci-host-cam-generic", device_type: "pci", ...more });
const bell = (label: number) =>
  add(
    `${CONFIG}/vdevices`,
    node("bell-4", {
      ...{ "vdevice-type": "doorbell", generate: "/hypervisor/bell-4", label, "peer-default": true, interrupts: [0, 4, 4] },
    }),
  );
const gic = (redistributors: number) =>
  all(crosvm, set("/intc@8000000", { reg: cells64(0x3fff_0000, 0x1_0000, redistributors, 0x2_0000) }));

interface Case {
  readonly good: Change;
  readonly bad: Change;
  /** The finding of the bad tree; no other tree has it. */
  readonly says: RegExp;
  readonly rules?: PhoneLintRules;
  /** Those of the bad tree, where the rule is a phone's. */
  readonly otherRules?: PhoneLintRules;
}

const LATER = phoneLintRules("sm8750");
const CASES: Readonly<Record<Rule, Case>> = {
  "node-without-parcel": {
    good: all(parcelless, set("/reserved-memory/child", { "qcom,label": 1 })),
    bad: parcelless,
    says: /^refused \/reserved-memory\/child -: has no qcom,label/m,
  },
  "fence-refused": {
    good: fence,
    rules: LATER,
    bad: fence,
    otherRules: phoneLintRules("sm8650"),
    says: /^refused \/reserved-memory\/fence .*android14-6\.1 has no parcel there/m,
  },
  "no-fence": { good: fence, bad: () => {}, rules: LATER, says: /^changed \/memory -: no node of \/reserved-memory keeps the guest off/m },
  "never-compares": { good: parcelless, rules: LATER, bad: parcelless, otherRules: {}, says: /^refused \/reserved-memory\/child/m },
  "default-pool": {
    good: all(reserved(pool()), shm()),
    bad: all(reserved(pool({ reg: cells64(0x8080_0000, 0x400_0000) })), shm()),
    says: /^changed \S+pool -: is the pool of 64 MiB that crosvm adds by default/m,
  },
  "pool-vdevice": {
    good: all(reserved(pool()), shm()),
    bad: reserved(pool()),
    says: /^changed \S+pool -: no shm vdevice is for this pool/m,
  },
  "pool-buffer": {
    good: all(reserved(pool()), shm(0x8080_0000)),
    bad: all(reserved(pool()), shm(0x9000_0000)),
    says: /^changed \S+pool reg: no shm vdevice has its buffer at 0x80800000/m,
  },
  "pool-alignment": {
    good: all(reserved(pool()), shm()),
    bad: all(reserved(pool({ alignment: cells64(0x1000) })), shm()),
    says: /^changed \S+pool alignment: is not a multiple of 0x10000/m,
  },
  "pool-unused": {
    good: all(reserved(pool()), shm(), pci({ "memory-region": 9 })),
    bad: all(reserved(pool()), shm(), pci({})),
    says: /^changed \/pci -: does not name the pool/m,
  },
  "memory-ranges": {
    good: set("/memory", { reg: cells64(0x8000_0000, 0x100_0000) }),
    bad: set("/memory", { reg: cells64(0x8000_0000, 0x100_0000, 0x9000_0000, 0x100_0000) }),
    says: /^changed \/memory reg: has several ranges/m,
  },
  "tree-size": {
    good: set("/chosen", { bootargs: "x".repeat(0x4000) }),
    bad: set("/chosen", { bootargs: "x".repeat(0x8000) }),
    says: /^changed \/ -: the devicetree has \d+ bytes/m,
  },
  "newer-property": {
    good: () => {},
    bad: set(`${CONFIG}/vcpus`, { "no-timer-wakeups": true }),
    says: /^ignored \S+vcpus no-timer-wakeups/m,
  },
  "serial-level": { good: serial(1), bad: serial(4), says: /^changed \/U6_16550A@3f8 interrupts: is level-triggered/m },
  "clock-missing": {
    good: device("rtc@2000", { ...clock, clocks: 24 }),
    bad: device("rtc@2000", clock),
    says: /^changed \/rtc@2000 -?.*has no clock apb_pclk/m,
  },
  "ppi-bell": { good: stall(0), bad: stall(1), says: /^changed \/vmwdt@3000 interrupts: names PPI 15/m },
  "gic-order": { good: gic(0x3ffd_0000), bad: gic(0x3ff0_0000), says: /^changed \/intc@8000000 reg: the redistributors do not end at/m },
  "message-parent": { good: pci({}), bad: pci({ "msi-parent": 1 }), says: /^changed \/pci msi-parent: asks for messages/m },
  "ram-below": {
    good: crosvm,
    bad: all(crosvm, set("/memory", { reg: cells64(0x4020_0000, 0x100_0000) })),
    says: /^changed \/memory reg: has RAM at 0x40200000/m,
  },
  "initrd-alignment": {
    good: all(crosvm, set("/chosen", { "linux,initrd-start": cells64(0x8100_0000) })),
    bad: all(crosvm, set("/chosen", { "linux,initrd-start": cells64(0x8110_0000) })),
    says: /^changed \/chosen linux,initrd-start: 0x81100000 is not a multiple/m,
  },
  "hypervisor-node": {
    good: () => {},
    bad: add("/", node("hypervisor", {})),
    says: /^refused \/hypervisor -: the Resource Manager creates \/hypervisor/m,
  },
  "config-phandle": {
    good: () => {},
    bad: set(`${CONFIG}/interrupts`, { config: 1 }),
    says: /^changed \S+interrupts config: a phandle instead of a path/m,
  },
  "bell-label": { good: bell(4), bad: bell(5), says: /^changed \S+bell-4 label: 5 is not the interrupt, SPI 4/m },
  "size-max": {
    good: set(`${CONFIG}/memory`, { "size-max": cells64(0x4000_0000) }),
    bad: set(`${CONFIG}/memory`, { "size-max": cells64(0x1000) }),
    says: /^changed \S+memory size-max: ends before the RAM/m,
  },
};

/** The findings of a sound tree with a change, a line each. */
function findings(change: Change, rules: PhoneLintRules = {}): string {
  const plan = vmPlan("a", {});
  const tree = guestDevicetree(plan, boardOf(plan).layout(plan));
  change(tree.root);
  return lintVm(writeDevicetree(tree), rules).map(({ kind, path, property, what, does }) =>
    `${kind} ${path} ${property ?? "-"}: ${what}; ${does}`
  )
    .join("\n");
}

for (const [rule, { good, bad, says, rules, otherRules }] of Object.entries(CASES)) {
  Deno.test(`rule ${rule}: a good tree, and a bad one`, () => {
    assert.doesNotMatch(findings(good, rules), says);
    assert.match(findings(bad, otherRules ?? rules), says);
  });
}
