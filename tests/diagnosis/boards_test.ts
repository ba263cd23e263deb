// Mistakes that do no harm here and may fail on a board are reported once, with their place and the
// way out, in each tier and after a load. Their healthy twins have nothing to tell.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { evidenceLine } from "../../src/model/queries/facts/evidence.ts";
import type { BoardFinding, UncachedKind } from "../../src/model/queries/facts/board-finding.ts";
import { rows } from "../session/inspection/system.ts";
import { assembledPlan, hashOf, ranSystem, TIERS } from "./assembled-guest.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-boards-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/**
 * Page 512 (0x80200000) has the queue: descriptors, available ring at 0x100, used ring at 0x200;
 * page 513 the buffers.
 */
const [QUEUE, BUFFER] = ["0x80200000", "0x80201000"];
/** Attribute 2 is Normal Non-cacheable; the first GiB is Device memory. */
const MMU = "entry 0, 0, 0x405\nmmu_on mair=0x4404ff";
const NORMAL = "0x703", NON_CACHEABLE = "0x70b", DEVICE = "0x707";
const map = (queue: string, buffer: string) => `entry 3, 0, ${QUEUE} + ${queue}\nentry 3, 1, ${BUFFER} + ${buffer}\n${MMU}`;

/** A driver of the entropy device in slot 0, whose registers X20 has; X21 has the queue. */
const SET_UP = `
  mov64 x20, 0x0a000000
  mov64 x21, ${QUEUE}
  mov64 x22, ${BUFFER}
  .irp status, 0, 1, 3
  mov w0, \\status
  str w0, [x20, #0x70]
  .endr
  mov w0, #1
  str w0, [x20, #0x24]
  str w0, [x20, #0x20]
  mov w0, #11
  str w0, [x20, #0x70]
  str wzr, [x20, #0x30]
  mov w0, #4
  str w0, [x20, #0x38]
  str w21, [x20, #0x80]
  str wzr, [x20, #0x84]
  add w0, w21, #0x100
  str w0, [x20, #0x90]
  str wzr, [x20, #0x94]
  add w0, w21, #0x200
  str w0, [x20, #0xa0]
  str wzr, [x20, #0xa4]
  str wzr, [x21, #0x100]
  str wzr, [x21, #0x200]
  mov w0, #1
  str w0, [x20, #0x44]
  mov w0, #15
  str w0, [x20, #0x70]`;
/** Makes 64 bytes available in a descriptor. */
const offer = (descriptor: number) => `
  str x22, [x21, #${16 * descriptor}]
  mov64 x0, 0x200000040
  str x0, [x21, #${16 * descriptor + 8}]
  ldrh w1, [x21, #0x102]
  and w2, w1, #3
  add x2, x21, x2, lsl #1
  mov w0, #${descriptor}
  strh w0, [x2, #0x104]
  dmb ish
  add w1, w1, #1
  strh w1, [x21, #0x102]`;
const NOTIFY = "dmb ish\nstr wzr, [x20, #0x50]";
/** Until the used index is this. */
const wait = (index: number) => `5: ldrh w0, [x21, #0x202]\ncmp w0, #${index}\nb.ne 5b\ndmb ish`;
/** A call of a function that notifies, and the function. */
const CALL = "bl 7f", FUNCTION = "b 8f\n7: mov w0, #0\nstr w0, [x20, #0x50]\nret\n8:";
/** A function that is called between the two, which has this in it. */
const called = (between: string) =>
  `${offer(0)}\nbl 7f\nstr wzr, [x20, #0x50]\n${wait(1)}\nb 8f\n7: cbz w1, 6f\nadd w9, w9, #1\n6: ${between}\nret\n8:`;
const request = (descriptor: number) => `${offer(descriptor)}\n${NOTIFY}`;

interface Case {
  readonly source: string;
  readonly found?: readonly (BoardFinding | ReturnType<typeof unordered>)[];
  readonly text?: RegExp;
  readonly inject?: readonly string[];
}

const uncached = (part: "descriptors" | "buffer", memory: UncachedKind): BoardFinding => {
  const [address, ipa] = part === "buffer" ? [BUFFER, `ipa:x/${BUFFER}`] : [QUEUE, `ipa:x/${QUEUE}`];
  return { code: "queue-uncached", device: "dev:x/rng0", queue: 0, part, vcpu: "vcpu:x/0", address, ipa, memory };
};
/** The notification is so many instructions after the store. */
const unordered = (after: number) => ({ code: "notification-unordered", device: "dev:x/rng0", queue: 0, vcpu: "vcpu:x/0", after });
const REUSED: BoardFinding = { code: "descriptor-reused", device: "dev:x/rng0", queue: 0, descriptor: 0 };
const CACHED = map(NORMAL, NORMAL), SLOW = ["dev dev=x/rng0 nth=1 -> delay 200us"];
const BUFFER_USED = "str xzr, [x22]";

const TOLD: Readonly<Record<string, Case>> = {
  "a queue that is mapped Non-cacheable": {
    source: `${map(NON_CACHEABLE, NORMAL)}\n${SET_UP}\n${request(0)}\n${wait(1)}`,
    found: [uncached("descriptors", "Normal Non-cacheable")],
    text: / at 0x80200000 as Normal Non-cacheable memory: .*; way out: map it as Normal Write-Back memory/,
  },
  "a queue that is mapped as Device memory": {
    source: `${map(DEVICE, NORMAL)}\n${SET_UP}\n${request(0)}\n${wait(1)}`,
    found: [uncached("descriptors", "Device")],
  },
  "a buffer that is mapped Non-cacheable": {
    source: `${map(NORMAL, NON_CACHEABLE)}\n${SET_UP}\n${BUFFER_USED}\n${request(0)}\n${wait(1)}`,
    found: [uncached("buffer", "Normal Non-cacheable")],
  },
  "a descriptor that the device still has": {
    source: `${CACHED}\n${SET_UP}\n${request(0)}\n${request(0)}\n${wait(2)}`,
    inject: SLOW,
    found: [REUSED],
    text: /descriptor 0 of queue 0 of dev:x\/rng0 is made available again, and the device has not given it back .*; way out: /,
  },
  "a notification without a barrier": {
    source: `${CACHED}\n${SET_UP}\n${offer(0)}\nstr wzr, [x20, #0x50]\n${wait(1)}`,
    found: [unordered(1)],
    text:
      /stores the available index of queue 0 of dev:x\/rng0 at 0x[0-9a-f]+, and notifies the device at 0x.* without a barrier.*; way out: put DMB/,
  },
  "a function that notifies without a barrier": {
    source: `${CACHED}\n${SET_UP}\n${offer(0)}\nnop\n${CALL}\n${wait(1)}\n${FUNCTION}`,
    found: [unordered(9)],
  },
  "a notification without a barrier after a call": { source: `${CACHED}\n${SET_UP}\n${called("nop")}`, found: [unordered(2)] },
  "a descriptor that is made available twice before the device looks": {
    source: `${CACHED}\n${SET_UP}\n${offer(0)}\n${request(0)}\n${wait(2)}`,
    found: [REUSED],
  },
  "a descriptor that the device gives back before it looks again": {
    source: `${CACHED}\n${SET_UP}\n${request(0)}\n${offer(0)}\n${wait(1)}\n${NOTIFY}\n${wait(2)}`,
    inject: SLOW,
    found: [REUSED],
  },
};

const UNTOLD: Readonly<Record<string, Case>> = {
  "a queue in cached memory": { source: `${CACHED}\n${SET_UP}\n${BUFFER_USED}\n${request(0)}\n${wait(1)}\n${request(0)}\n${wait(2)}` },
  "a Non-cacheable page beside the queue": {
    source: `${map(NORMAL, NON_CACHEABLE)}\n${BUFFER_USED}\n${SET_UP}\nmov64 x22, 0x80180000\n${BUFFER_USED}\n${request(0)}\n${wait(1)}`,
  },
  "a function that notifies after a barrier": {
    source: `${CACHED}\n${SET_UP}\n${offer(0)}\ndmb ishst\n${CALL}\n${wait(1)}\n${FUNCTION}`,
  },
  "a notification after a call of a function that has a barrier on one way": {
    source: `${CACHED}\n${SET_UP}\n${called("cbz w9, 5f\ndmb ish\n5:")}`,
  },
  "a notification after a call by a register": {
    source: `${CACHED}\n${SET_UP}\nadr x5, 7f\n${called("nop").replace("bl 7f", "blr x5")}`,
  },
  "a notification by a store-release": { source: `${CACHED}\n${SET_UP}\nadd x5, x20, #0x50\n${offer(0)}\nstlr wzr, [x5]\n${wait(1)}` },
  "a notification to which code branches from elsewhere": {
    source: `${CACHED}\n${SET_UP}\ncbz x20, 9f\n${offer(0)}\n9: str wzr, [x20, #0x50]\n${wait(1)}`,
  },
  "two descriptors at once, each again when it is back": {
    source: `${CACHED}\n${SET_UP}\n${offer(0)}\n${request(1)}\n${wait(2)}\n${offer(0)}\n${request(1)}\n${wait(4)}`,
  },
  "a descriptor after the device has given it back, and before it looks": {
    source: `${CACHED}\n${SET_UP}\n${request(0)}\n${wait(1)}\n${offer(0)}\n${NOTIFY}\n${wait(2)}`,
    inject: SLOW,
  },
  "another descriptor, while the device has one": {
    source: `${CACHED}\n${SET_UP}\n${request(0)}\n${request(1)}\n${wait(2)}\n${request(0)}\n${wait(3)}`,
    inject: SLOW,
  },
};

async function planOf({ source, inject }: Case) {
  const text = `el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\ndevices = [{ kind = "rng" }]\n`;
  return { ...await assembledPlan(folder, `${source}\nsleep_healthily`, text), inject };
}

function findingsOf(system: GuestSystem): BoardFinding[] {
  const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
  return row?.because.flatMap((one) => one.code === "board" ? one.finding : []) ?? [];
}

/** Code at its distance. */
function placed(finding: BoardFinding) {
  if (finding.code !== "notification-unordered") return finding;
  const { at, store, ...others } = finding;
  return { ...others, after: (Number(at.first) - Number(store.first)) / 4 };
}

for (const [name, told] of Object.entries(TOLD)) {
  Deno.test(`told: ${name}`, async () => {
    const plan = await planOf(told), [first, other] = TIERS.map((tier) => ranSystem(plan, tier));
    const found = findingsOf(first);
    assert.deepEqual(found.map(placed), told.found);
    assert.deepEqual([findingsOf(other), hashOf(other)], [found, hashOf(first)]);
    const after = assemble(plan) as GuestSystem;
    after.load(first.save(), true);
    assert.deepEqual(findingsOf(after), found, "after a load");
    const logged = first.events.drain().events.filter(({ kind, refused }) => kind === "log" && refused);
    assert.deepEqual(logged.map(({ text }) => text), found.map((finding) => evidenceLine({ code: "board", finding })));
    if (told.text) assert.match(logged[0].text, told.text);
    const [{ healthy, verdict }] = rows(first, "diagnose", { filter: "id=vm:x" });
    assert.deepEqual([healthy, verdict], [true, "waits"]);
  });
}

for (const [name, untold] of Object.entries(UNTOLD)) {
  Deno.test(`nothing to tell: ${name}`, async () => {
    const plan = await planOf(untold);
    for (const tier of TIERS) {
      const system = ranSystem(plan, tier);
      const [{ healthy, verdict }] = rows(system, "diagnose", { filter: "id=vm:x" });
      assert.deepEqual([findingsOf(system), healthy, verdict], [[], true, "waits"]);
    }
  });
}
