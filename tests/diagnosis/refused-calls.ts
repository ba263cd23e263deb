// Guests that make a hypercall with a capability that the hypervisor does not accept, and continue.

import assert from "node:assert/strict";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";

export interface RefusedCall {
  readonly source: string;
  /** The configuration of a VM `x` whose image is NAME.bin. */
  readonly text: (name: string) => string;
  readonly error: string;
  readonly wayOut: RegExp;
  /** The filter of the rows that the printed command shows. */
  readonly shows: string;
  /** The guest that passes one that it has, as told. */
  readonly healed: string;
}

const SEND = 0x6012, BAD_ID = 0xffffn;
const textOf = (name: string) =>
  `el2 = 1\n[vm.x]\nimage = "${name}.bin"\nmemory = "4MiB"\n[vm.y]\nimage = "y.bin"\nmemory = "4MiB"\n` +
  `[link]\nthere = { kind = "doorbell", label = 2, from = "x", to = "y" }\nback = { kind = "doorbell", label = 3, from = "y", to = "x" }\nq = { kind = "msgqueue-pair", label = 1, between = ["x", "y"], depth = 2, size = 64 }\n`;
const sending = (cap: bigint) => `mov64 x0, ${cap}\nmov x1, #1\nmov x2, #0\nhvc #${SEND}\nsleep_healthily`;

/** The calls, with the capabilities that the VM has there. @param folder for images */
export async function refusedCalls(folder: string): Promise<Readonly<Record<string, RefusedCall>>> {
  await assembleGuest(folder, "y", "sleep_healthily");
  const system = await demoSystem(textOf("y"), undefined, folder);
  runUntil(system, 3e7);
  const has = rows(system, "caps.ls", { filter: "vm=vm:x" });
  const capOf = (type: string, accepts: (rights: string) => boolean = () => true) =>
    BigInt(has.find((one) => one.type === type && accepts(one.rights.join("|")))?.slot ?? assert.fail(`x has no such ${type}`));
  const used = new Set(has.map(({ slot }) => BigInt(slot))), queue = capOf("msgqueue");
  const bell = capOf("doorbell", (rights) => rights.includes("Send")), deaf = capOf("doorbell", (rights) => !rights.includes("Send"));
  let empty = 0n;
  while (used.has(empty)) empty++;
  const call = (cap: bigint, more: Omit<RefusedCall, "source" | "text" | "healed">): RefusedCall => (
    { source: sending(cap), text: textOf, healed: sending(bell), ...more }
  );
  const all = { wayOut: /: `el2 caps ls x`$/, shows: "vm=vm:x" };
  return {
    "an empty slot": call(empty, { error: "CSPACE_CAP_NULL", ...all }),
    "an id of no slot": call(BAD_ID, { error: "ARGUMENT_INVALID", ...all }),
    "an object of another type": call(queue, {
      ...{ error: "CSPACE_WRONG_OBJECT_TYPE", wayOut: /type doorbell: `el2 caps ls x --filter type=doorbell`$/ },
      shows: "vm=vm:x type=doorbell",
    }),
    "a right that it lacks": call(deaf, {
      ...{ error: "CSPACE_INSUFFICIENT_RIGHTS", wayOut: /the right Send: `el2 show cap:x\/0x[0-9a-f]+` shows/ },
      shows: `id=cap:x/0x${deaf.toString(16)}`,
    }),
  };
}
