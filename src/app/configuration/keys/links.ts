// The keys of `[link]`, by the link's kind.

import * as v from "valibot";
import { FIRST_RESERVED_LABEL } from "../../../machine/host/interface.ts";
import { MAX_DEPTH, MAX_MESSAGE } from "../../../model/plans/limits.ts";
import { facts } from "../../../kit/support/values/described.ts";
import { entriesOf, keysOf } from "./key.ts";
import { bufferSize } from "./sizes.ts";
import { boolean, mustBe, oneOf, outsideOf, text, whole } from "./values.ts";

const twoNames = mustBe("the names of two VMs");

const label = {
  type: whole(0, FIRST_RESERVED_LABEL - 1, outsideOf("0..0x7fffffff")),
  doc: "number by which guests find it; unique per kind in each VM",
  plan: "link",
} as const;

const QUEUES = keysOf({
  kind: { type: v.literal("msgqueue-pair"), doc: "a pair of message queues" },
  label,
  between: {
    type: v.pipe(v.array(text, twoNames), v.length(2, twoNames), v.transform(([a, b]): [string, string] => [a, b])),
    doc: "the two VMs",
  },
  depth: {
    type: v.optional(whole(1, MAX_DEPTH, outsideOf(`1..${MAX_DEPTH}`, "documents say 256, the hypervisor excludes it")), 8),
    doc: "messages in each queue",
    plan: "link",
  },
  size: {
    type: v.optional(whole(1, MAX_MESSAGE, outsideOf(`1..${MAX_MESSAGE}`, "documents say 1024, the hypervisor excludes it")), 240),
    doc: "bytes of a message",
    plan: "link",
  },
});

const DOORBELL = keysOf({
  kind: { type: v.literal("doorbell"), doc: "a doorbell" },
  label,
  from: { type: text, doc: "the VM that rings" },
  to: { type: text, doc: "the VM that is rung" },
  source_can_clear: { type: v.optional(boolean, false), doc: "the VM that rings can clear it", plan: "link" },
});

const BUFFER = keysOf({
  kind: { type: v.literal("shm"), doc: "memory that the host shares" },
  label,
  size: { type: bufferSize, doc: "whole pages", plan: "link" },
  access: {
    type: v.pipe(
      v.record(text, oneOf(["r", "rw"]), mustBe("a table of VMs")),
      facts({ minProperties: 1 }),
      v.check((access) => Object.keys(access).length > 0, "names no VM"),
    ),
    doc: "r or rw for each VM",
  },
});

/** Keys of links by kind. */
export const LINK_KEYS = { "msgqueue-pair": QUEUES, doorbell: DOORBELL, shm: BUFFER } as const;

export const link = v.variant(
  "kind",
  [v.object(entriesOf(QUEUES)), v.object(entriesOf(DOORBELL)), v.object(entriesOf(BUFFER))],
  mustBe('"msgqueue-pair", "doorbell" or "shm"'),
);
