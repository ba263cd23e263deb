// LPIs that cannot come are told with the first barrier of their path: the ITS, its tables, the
// redistributor, the LPI's configuration, its group, the CPU interface.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import type { IrqFinding } from "../../src/model/queries/facts/irq-finding.ts";
import { VERDICT_FACTS } from "../../src/model/queries/facts/verdict.ts";
import { rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { assertHealthy } from "./healthy.ts";
import type { ItsRule } from "../../src/machine/abi/its-rules.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-lpis-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const store = (address: string, value: string) => `mov64 x1, ${address}\nmov64 x2, ${value}\nstr x2, [x1]`;
const storeWord = (address: string, value: string) => `mov64 x1, ${address}\nmov64 x2, ${value}\nstr w2, [x1]`;
const storeByte = (address: string, value: string) => storeWord(address, value).replace("str w2", "strb w2");
const VALID = "(1 << 63)", EVENT = 3, LPI = 8192;
/** A command in the queue; X9 is where the next one goes. */
const command = (...words: readonly string[]) =>
  `${words.map((word) => `mov64 x1, ${word}\nstr x1, [x9], #8`).join("\n")}\nstr xzr, [x9], #8`;

/** Steps of a driver whose device 0 is the vCPU itself: each can be left out or changed. */
const STEPS = {
  distributor: storeWord("0x08000000", "0x12"),
  properties: `${store("0x080a0070", "0x410a000f")}\n${storeByte("0x410a0000", "0xa1")}`,
  redistributor: `${store("0x080a0078", "(1 << 62) | 0x410c0000")}\n${storeWord("0x080a0000", "1")}`,
  tables: `${store("0x08080080", `${VALID} | 0x41000000`)}\n${store("0x08080100", `${VALID} | 0x41010007`)}\n` +
    store("0x08080108", `${VALID} | 0x41090000`),
  its: storeWord("0x08080000", "1"),
  device: command("8", "4", `${VALID} | 0x41100000`),
  collection: command("9", "0", VALID),
  event: command("10", `${EVENT} | (${LPI} << 32)`, "0"),
  commands: "dsb sy\nmov64 x1, 0x41000000\nsub x2, x9, x1\nmov64 x1, 0x08080088\nstr x2, [x1]",
  interface: "mov x2, #1\nmsr icc_igrpen1_el1, x2",
  mask: "mov x2, #0xf0\nmsr icc_pmr_el1, x2\nisb",
  message: storeWord("0x08090040", `${EVENT}`),
};
const SLEEP = "1: wfi\nmrs x3, icc_iar1_el1\nmsr icc_eoir1_el1, x3\nb 1b";
const driver = (changes: Partial<typeof STEPS>) => `mov64 x9, 0x41000000\n${Object.values({ ...STEPS, ...changes }).join("\n")}\n${SLEEP}`;

/** The machine of `el2 boot --msi its`, after some sleep. */
async function slept(source: string): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  const image = await Deno.readFile(`${folder}/x.bin`);
  const what = { kind: "boot", image, raw: true, initrd: undefined, dtb: undefined, append: undefined } as const;
  const system = assemble({ cpus: 1, memory: 64 << 20, turbo: true, seed: 1, behaviour: { msi: "its" }, what }) as GuestSystem;
  runUntil(system, 2e7);
  return system;
}

/** Of messages that make no LPI pending: the rule and the way out. */
const DROPPED: Readonly<Record<string, readonly [changes: Partial<typeof STEPS>, rule: ItsRule, wayOut: RegExp]>> = {
  "of an ITS that is off": [{ its: "" }, "its-disabled", /GITS_CTLR/],
  "of an ITS that is off and maps nothing": [{ its: "", device: "", event: "", redistributor: "" }, "its-disabled", /GITS_CTLR/],
  "of a device that is not mapped": [{ device: "" }, "device-unmapped", /MAPD/],
  "of an event that is not mapped": [{ event: "" }, "event-unmapped", /MAPTI/],
  "of an event and a collection that are not mapped": [{ event: "", collection: "" }, "event-unmapped", /MAPTI/],
  "of a collection that is not mapped": [{ collection: "" }, "collection-unmapped", /MAPC/],
  "of a redistributor without LPIs": [{ redistributor: "" }, "lpis-disabled", /EnableLPIs/],
  "of a redistributor without LPIs, in a group that is off": [
    { redistributor: "", distributor: "" },
    "lpis-disabled",
    /EnableLPIs/,
  ],
};

for (const [name, [changes, rule, wayOut]] of Object.entries(DROPPED)) {
  Deno.test(`an LPI ${name}`, async () => {
    const system = await slept(driver(changes)), [row] = rows(system, "diagnose", { filter: "id=vm:host" });
    assert.deepEqual([row.verdict, row.fact], ["lost", { code: "message-dropped", device: "0x0", event: "0x3", rule }]);
    assert.match(VERDICT_FACTS.wayOutText(row.fact) ?? "", wayOut);
  });
}

const GROUP_OFF = { code: "group-disabled", group: 1, intid: LPI, other: false } as const;
const INTERFACE_OFF = { code: "interface-disabled", group: 1 } as const;

/** Of LPIs that are pending and do not come: the barriers, in order. */
const PENDING: Readonly<Record<string, readonly [changes: Partial<typeof STEPS>, finding: IrqFinding, ...then: IrqFinding[]]>> = {
  "that is disabled": [{ properties: STEPS.properties.replace("0xa1", "0xa0") }, { code: "lpi-disabled" }],
  "that is disabled, in a group that is off": [
    { properties: STEPS.properties.replace("0xa1", "0xa0"), distributor: "", interface: "" },
    { code: "lpi-disabled" },
    GROUP_OFF,
    INTERFACE_OFF,
  ],
  "of a group that is off": [{ distributor: "", interface: "" }, GROUP_OFF, INTERFACE_OFF],
  "of a group that is off at the CPU interface": [
    { interface: "", mask: "" },
    INTERFACE_OFF,
    { code: "priority-masked", priority: 0xa0, pmr: 0 },
  ],
  "of a priority that is masked": [{ mask: STEPS.mask.replace("0xf0", "0xa0") }, { code: "priority-masked", priority: 0xa0, pmr: 0xa0 }],
};

for (const [name, [changes, finding, ...then]] of Object.entries(PENDING)) {
  Deno.test(`an LPI ${name}`, async () => {
    const [row] = rows(await slept(driver(changes)), "diagnose", { filter: "id=vm:host" });
    assert.deepEqual([row.verdict, row.fact], ["lost", { code: "lost", irq: `irq:host/${LPI}`, finding, then }]);
  });
}

for (
  const [name, changes] of Object.entries<Partial<typeof STEPS>>({
    "whose LPIs come": {},
    "whose first message was lost, and whose second one comes": { its: `${STEPS.message}\n${STEPS.its}` },
    "that has had no message": { message: "" },
  })
) {
  Deno.test(`healthy: a guest ${name}`, async () => {
    assert.deepEqual(assertHealthy(await slept(driver(changes))), ["waits"]);
  });
}
