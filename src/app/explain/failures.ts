// Failures of VMMs in words that no form has, by their kind: what failed and how, each by the words
// that programs share, give the sign that a form would give.

import type { SignKind, SignValues } from "./forms/sign.ts";

type WordsByName<T extends string> = readonly (readonly [name: T, words: RegExp])[];

/** The ways in which it failed, the surest words first. */
const HOW = [
  ["unbuilt", /support is disabled|not compiled in|no option group|built without|not built with|without support/i],
  ["state", /loading VM state|received is .{1,80} local is|unknown savevm|load of migration failed|vmstate/i],
  [
    "unknown",
    /property .{1,120} not found|not a valid|unknown \w|unrecogni[sz]ed|invalid (?:option|parameter)|expect(?:s|ed)?\b|for this architecture|, use \w[\w-]{0,30}=|no machine specified/i,
  ],
  ["twice", /\bexists\b[.'"\\n]*$|duplicate|already (?:exists|defined|attached)/i],
  [
    "conflict",
    /only allowed with|only be used with|mutually exclusive|conflicts? with|cannot be (?:used|combined) (?:together|with)|incompatible with/i,
  ],
  ["busy", /in use|already|\block(?:ed)?\b|busy|temporarily unavailable|EADDRINUSE/i],
  ["refused", /denied|not permitted|privileges|EACCES|EPERM|Error\((?:1|13)\)|code: 13?\b/],
  ["room", /out of memory|cannot allocate|no space|exceed|too (?:large|big|many|small)|not enough|ENOMEM|Error\(12\)|code: 12\b/i],
  [
    "missing",
    /no such|not found|does(?: not|n't) exist|(?:cannot|could not|unable to|failed to) (?:find|locate)|no \S{1,40}(?: \S{1,20})? (?:available|found)|missing|ENOENT|Error\((?:2|6|19)\)|code: (?:2|6|19)\b/i,
  ],
  [
    "unsupported",
    /not supported|unsupported|(?:does|do)(?: not|n't) support|not available|incompatible|requires?\b|only works|cannot be used|disabled/i,
  ],
  ["damaged", /magic|corrupt|invalid|bad\b|malformed|truncated|EINVAL|Error\(22\)|code: 22\b/i],
  ["failed", /fail|error|cannot|could not|unable|panicked/i],
] as const satisfies WordsByName<string>;

/** The parts that fail, the narrowest first. */
const WHAT = [
  ["vfio", /vfio|iommu|passthrough/i],
  ["gic", /gicv?\d|\bv?gic|\birqchip|interrupt controller|redist|\bMSI(?:-X)?\b/i],
  ["addresses", /\bIPA\b|\bPA bits|address (?:space|range|size)|highmem|maxram/],
  ["emulator", /emulator|os type|QEMU (?:command|binary)|supported architecture|guests? for arch/i],
  ["socket", /guest.?cid|\bv?socket|\bport\b|pid file|hostfwd|\bbind\b|\blisten/i],
  ["share", /virtfs|\b9p|virtio-?fs|mount_tag|shared folder/i],
  ["network", /\btap\b|\btun\b|netdev|\bbridge|vhost-?net|slirp|\bnetwork|vmnet|\bNIC\b/i],
  ["display", /display|\bgtk\b|\bsdl\b|opengl|\begl\b|\bspice\b|\bvnc\b|wayland|x11/i],
  ["firmware", /\bu?efi\b|firmware|pflash|\bbios\b|nvram|edk2|AAVMF|OVMF|\bROM\b/i],
  ["kernel", /\bkernel|initrd|\bdtb\b|\belf\b|vmlinux|\bImage\b/i],
  ["accelerator", /\bkvm|\bhvf|hypervisor|accelerat|virtuali[sz]ation/i],
  ["memory", /memory|\bRAM\b|huge ?pages?|memfd|\bmmap|backing store/i],
  ["disk", /\bdisk|\bdrive|block|qcow2?|backing file|logical volume|\bimage\b/i],
  ["bus", /\bPCIe?\b|\bbus(?:es)?\b|\busb\b|\bscsi\b/i],
  ["cpu", /CPU mode|\bv?cpus?\b|\bsmp\b/i],
] as const satisfies WordsByName<string>;

type How = (typeof HOW)[number][0];
type What = (typeof WHAT)[number][0];
/** The sign of a kind of failures. */
export type FailureKind = { readonly kind: SignKind; readonly values?: SignValues };

/** The sign of a failure, whatever failed. */
const BY_HOW: Readonly<Partial<Record<How, FailureKind>>> = {
  unbuilt: { kind: "not-built", values: { name: "a part" } },
  state: { kind: "other-state" },
  unknown: { kind: "not-of-machine", values: { what: "option" } },
  twice: { kind: "twice" },
  conflict: { kind: "conflict" },
  busy: { kind: "taken" },
};

/** The sign of what failed in one of these ways, the first that fits. */
const BY_BOTH: Readonly<Record<What, readonly (readonly [how: readonly How[], given: FailureKind])[]>> = {
  vfio: [[["missing", "unsupported", "damaged", "failed"], { kind: "vfio", values: { step: "iommu" } }]],
  addresses: [[["unsupported", "room", "damaged", "failed"], { kind: "address-bits" }]],
  emulator: [[["missing", "unsupported", "failed"], { kind: "no-program" }]],
  gic: [[["missing", "unsupported", "damaged", "failed"], { kind: "kvm-gic", values: { has: "other" } }]],
  socket: [
    [["refused"], { kind: "no-file", values: { errno: "EACCES" } }],
    [["missing", "failed"], { kind: "backend" }],
  ],
  share: [[["missing", "failed"], { kind: "backend" }], [["unsupported", "damaged"], { kind: "unshared-memory" }]],
  network: [
    [["refused"], { kind: "tap", values: { errno: "EPERM" } }],
    [["missing"], { kind: "no-network" }],
  ],
  display: [[["missing", "unsupported", "refused", "failed"], { kind: "no-display" }]],
  firmware: [
    [["unsupported"], { kind: "wants-firmware" }],
    [["missing"], { kind: "no-firmware" }],
    [["room", "damaged"], { kind: "flash", values: { reason: "size" } }],
  ],
  kernel: [
    [["refused"], { kind: "no-file", values: { errno: "EACCES" } }],
    [["room"], { kind: "image", values: { reason: "room" } }],
    [["missing", "unsupported", "damaged", "failed"], { kind: "image", values: { reason: "unread" } }],
  ],
  accelerator: [
    [["refused"], { kind: "not-opened", values: { path: "/dev/kvm", errno: "EACCES" } }],
    [["room"], { kind: "no-memory" }],
    [["missing", "unsupported"], { kind: "no-acceleration" }],
    [["damaged"], { kind: "kvm-run", values: { errno: "EINVAL" } }],
  ],
  memory: [[["room", "failed"], { kind: "no-memory" }], [["damaged"], { kind: "address-bits" }]],
  disk: [
    [["refused"], { kind: "no-file", values: { errno: "EACCES" } }],
    [["missing"], { kind: "no-file", values: { errno: "ENOENT" } }],
    [["busy"], { kind: "locked-disk" }],
    [["unsupported"], { kind: "not-of-machine", values: { what: "disk" } }],
  ],
  bus: [[["missing", "unsupported"], { kind: "no-bus" }]],
  cpu: [[["room"], { kind: "many-cpus" }], [["missing", "unsupported", "damaged"], { kind: "kvm-cpu" }]],
};

const first = <T extends string>(all: WordsByName<T>, text: string): T | undefined => all.find(([, words]) => words.test(text))?.[0];

/**
 * The sign that a VMM's message gives by its kind.
 * @param option the option of the command line that it names
 */
export function kindOfFailure(message: string, option = ""): FailureKind | undefined {
  const how = first<How>(HOW, message);
  if (how === undefined) return undefined;
  const what = first<What>(WHAT, message) ?? first<What>(WHAT, option);
  const given = what === undefined ? undefined : BY_BOTH[what].find(([hows]) => hows.includes(how))?.[1];
  return given ?? BY_HOW[how];
}
