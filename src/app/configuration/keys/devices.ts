// The keys of a VM's devices, by their kind, and of their list.

import * as v from "valibot";
import { VM_VIRTIO_SLOTS } from "../../../machine/host/interface.ts";
import { wrong } from "../../../model/plans/config-fact.ts";
import { MAX_CID, MIN_CID } from "../../../model/plans/limits.ts";
import { facts } from "../../../kit/support/values/described.ts";
import {
  DEFAULT_TAG,
  INPUT_TYPES,
  isTag,
  type NetBackend,
  type NetRule,
  parseForward,
  parseNetRule,
  type PortForward,
  TAG_LENGTH,
} from "../../../machine/virtio/plan.ts";
import { BLOCK, disk } from "./disks.ts";
import { hostPath } from "./host-paths.ts";
import { entriesOf, keysIn, keysOf } from "./key.ts";
import { boolean, mustBe, nameList, notKnown, oneOf, text, whole } from "./values.ts";

/** `CIDR[:PORT]`. */
const netRule = v.pipe(
  text,
  facts({ pattern: "^([\\d.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|\\[[0-9a-fA-F:.]+\\])(/\\d{1,3})?(:\\d{1,5})?$" }),
  v.rawTransform<string, NetRule>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseNetRule(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: mustBe("an address", '"192.168.1.0/24" or "10.0.2.2:8080"') });
    return NEVER;
  }),
);
const netRules = v.optional(v.array(netRule, mustBe("a list of addresses")));

/** `HOST:GUEST`. */
const forward = v.pipe(
  text,
  facts({ pattern: "^((tcp|udp):)?\\d{1,5}:\\d{1,5}$" }),
  v.rawTransform<string, PortForward>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseForward(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: wrong("is not a pair of ports", 'use HOST:GUEST, such as "2222:22"') });
    return NEVER;
  }),
);

const backend = v.pipe(
  text,
  v.regex(/^(none|user|pair:.+)$/, notKnown("none", "user", "pair:NAME")),
  v.transform((backend) => backend as NetBackend),
);

const tag = v.pipe(
  text,
  facts({ pattern: "^[\\w.-]+$", maxLength: TAG_LENGTH }),
  v.check(isTag, wrong("is not a tag", `use up to ${TAG_LENGTH} letters, digits, and . _ -`)),
);

/** A network card; the last keys are the policy of its NAT. */
export const NET = keysOf({
  kind: { type: v.literal("net"), doc: "a virtio network card" },
  backend: { type: v.optional(backend, "user"), doc: "user: NAT to the internet; pair:NAME: a switch; none" },
  forward: {
    type: v.optional(v.array(forward, mustBe("a list of ports")), () => []),
    doc: "ports of the computer that lead to the guest",
  },
  capture: { type: v.optional(v.pipe(text, hostPath("capture", true))), doc: "pcapng file that packets are written to" },
  host: { type: v.optional(boolean), doc: "of user: this computer can be reached, as 10.0.2.2", plan: "policy" },
  lan: { type: v.optional(boolean), doc: "of user: private networks can be reached", plan: "policy" },
  internet: { type: v.optional(boolean), doc: "of user: false: the internet cannot be reached", plan: "policy" },
  allow: { type: netRules, doc: "of user: addresses that can be reached in any case", plan: "policy" },
  deny: { type: netRules, doc: "of user: addresses that cannot be reached in any case", plan: "policy" },
});

/** Keys of a network card that are the policy of its NAT. */
export const NET_POLICY_KEYS = keysIn(NET, "policy");

const PL011 = keysOf({
  kind: { type: v.literal("pl011"), doc: "a serial port" },
  log: { type: v.optional(v.pipe(text, hostPath("log", true))), doc: "file that the console is logged to" },
});
const CONSOLE = keysOf({
  kind: { type: v.literal("console"), doc: "virtio consoles" },
  ports: {
    type: v.optional(v.pipe(v.array(text, nameList), v.minLength(1, "names no port")), () => ["hvc0"]),
    doc: "names of the ports; the first is /dev/hvc0",
  },
});
const VSOCK = keysOf({
  kind: { type: v.literal("vsock"), doc: "virtio sockets between guests and programs" },
  cid: { type: v.optional(whole(MIN_CID, MAX_CID)), doc: "context id; by default 4, 5, … in the order of the VMs" },
  path: { type: v.optional(v.pipe(text, hostPath("socket", true))), doc: "socket for the computer's programs" },
});
const RNG = keysOf({ kind: { type: v.literal("rng"), doc: "a virtio source of randomness" } });
const P9 = keysOf({
  kind: { type: v.literal("9p"), doc: "a folder of the computer" },
  folder: { type: v.pipe(text, hostPath("folder", "mode")), doc: "the folder" },
  mode: {
    type: v.optional(oneOf(["ro", "rw"]), "rw"),
    doc: "ro: the guest cannot write; rw: no other session shares the folder",
  },
  tag: { type: v.optional(tag, DEFAULT_TAG), doc: "what the guest mounts it by" },
});
const BALLOON = keysOf({ kind: { type: v.literal("balloon"), doc: "a virtio balloon" } });
const INPUT = keysOf({
  kind: { type: v.literal("input"), doc: "a virtio keyboard or tablet" },
  type: { type: v.optional(oneOf(INPUT_TYPES), "keyboard"), doc: "which of both" },
});

/** Keys of devices by kind. All but the PL011 are virtio's, in slots of virtio-mmio. */
export const DEVICE_KEYS = {
  pl011: PL011,
  console: CONSOLE,
  block: BLOCK,
  net: NET,
  vsock: VSOCK,
  rng: RNG,
  "9p": P9,
  balloon: BALLOON,
  input: INPUT,
} as const;
const DEVICES = [
  v.object(entriesOf(PL011)),
  v.object(entriesOf(CONSOLE)),
  disk,
  v.object(entriesOf(NET)),
  v.object(entriesOf(VSOCK)),
  v.object(entriesOf(RNG)),
  v.object(entriesOf(P9)),
  v.object(entriesOf(BALLOON)),
  v.object(entriesOf(INPUT)),
] as const;
/** Kinds of devices that VMs can have. */
export const DEVICE_KINDS: readonly string[] = Object.keys(DEVICE_KEYS);
/** Those of virtio. */
export const VIRTIO_KINDS = DEVICE_KINDS.filter((kind) => kind !== "pl011");

/** The devices of a VM. */
export const devices = v.optional(v.pipe(
  v.array(v.variant("kind", DEVICES, notKnown(...DEVICE_KINDS)), mustBe("a list of devices")),
  v.check((devices) => devices.filter(({ kind }) => kind === "pl011").length <= 1, "has more than one pl011"),
  v.check(
    (devices) => devices.filter(({ kind }) => kind !== "pl011").length <= VM_VIRTIO_SLOTS,
    `has more than ${VM_VIRTIO_SLOTS} virtio devices`,
  ),
));
