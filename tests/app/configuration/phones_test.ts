// Profiles of phones: every value as docs/spec/phones.md has it, and which keys they set.

import assert from "node:assert/strict";
import { phoneAsJson, phoneAsText } from "../../../src/app/cli/commands/reference/phone.ts";
import { PHONE_NAMES, type PhoneName } from "../../../src/app/configuration/keys/names.ts";
import { phoneBehaviour } from "../../../src/app/configuration/phone-settings.ts";
import { PHONE_KEY_NAMES } from "../../../src/app/configuration/phones.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import type { NativeHostPlan } from "../../../src/machine/host/data/plan.ts";
import { DEFAULT_BEHAVIOUR } from "../../../src/model/plans/plan.ts";
import { assertPlanned, planErrors } from "../../support/planned.ts";

const GUESTS = new URL("../../../assets/guests", import.meta.url).pathname;
const VM = `[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n`;

const GENERIC: Readonly<Record<string, string | number | boolean>> = {
  ...{ "kernel": "union", "gzvm": false, "rm.parcels": 64, "rm.parcels-held": 0, "rm.entries": 512, "rm.reserved-memory": "any" },
  ...{
    "rm.size-max": "private",
    "ipa.bits": 36,
    "rm.lend": "any",
    "rm.map-other": "refused",
    "vmid.base": 128,
    "vmid.scm-max": "none",
    "host.memlock": "unlimited",
  },
  ...{ "host.max-order": 10, "host.cma-pages-unpinnable": 0, "boot-context": "as-generation", "ids.randomize": "plain" },
  ...{
    "timer.hz": 62_500_000,
    "pv-time": false,
    "midr": "0x000f0480",
    "hwcap": "none",
    "watchdog.disable-when-off": "accept",
    "reset.waits-forever": false,
  },
};

type Row = readonly [key: string, value: string | number | boolean, mark: string, source: string];

const B =
  "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512";
/** §A2, §A3, §A5 of the document: the same of every phone with Gunyah. */
const GUNYAH: readonly Row[] = [
  ["rm.parcels", 1024, "R", "RM+, DV"],
  ["rm.entries", 512, "R", "RM"],
  ["rm.size-max", "span", "R", "DV"],
  ["ipa.bits", 40, "R", "CV"],
  ["rm.map-other", "refused", "R", "DV"],
  ["host.memlock", "64KiB", "R", "DV"],
  ["ids.randomize", "random", "R", "DV"],
];

const TABLE: Readonly<Record<PhoneName, readonly Row[]>> = {
  generic: [],
  sm8550: [
    ...GUNYAH,
    ["kernel", "legacy", "R", "HV#24, PG#1"],
    ["hwcap", `${B} asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint i8mm bf16 bti`, "R", "SOCS"],
  ],
  sm8650: [
    ...GUNYAH,
    ["kernel", "ack-6.1", "R", "DV, X14, PG#5"],
    ["rm.reserved-memory", "must-match", "R", "DV"],
    ["rm.lend", "single", "U", "DV"],
    ["vmid.scm-max", 63, "R", "X14, 8G3"],
    ["boot-context", "ENODEV", "R", "DV"],
    ["hwcap", `${B} asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint i8mm bf16 dgh bti ecv afp`, "R", "SOCS"],
    ["watchdog.disable-when-off", "refuse", "R", "WDT"],
    ["reset.waits-forever", true, "R", "ACK"],
  ],
  sm8750: [
    ...GUNYAH,
    ["kernel", "ack-6.6", "R", "DV, PG#11, EDK"],
    ["rm.reserved-memory", "never", "R", "DV"],
    ["rm.lend", "chunks of at most 256MiB", "U", "DV"],
    ["timer.hz", 19_200_000, "R", "DV#12"],
    ["pv-time", true, "R", "DV#12"],
    ["midr", "0x000f0480", "R", "DV#12, PG"],
    ["hwcap", `${B} asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint i8mm bf16 rng bti ecv afp rpres`, "R", "SOCS"],
    ["watchdog.disable-when-off", "accept", "R", "WDT"],
  ],
  sm8850: [
    ...GUNYAH,
    ["kernel", "ack-6.12", "R", "HV#44, EDK"],
    ["rm.reserved-memory", "never", "R", "DV"],
    [
      "hwcap",
      `${B} sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp sve2 sveaes svepmull svesha3 svesm4 flagm2 frint svei8mm ` +
      "svebf16 i8mm bf16 rng bti ecv afp rpres sme smei8i32 smef16f32 smeb16f32 smef32f32 lrcpc3",
      "R",
      "SOCS",
    ],
  ],
  mt6989: [
    ["gzvm", true, "R", "uobe1, QZ"],
    ["hwcap", `${B} asimdfhm dit uscat ilrcpc flagm ssbs sb dcpodp flagm2 frint i8mm bf16 dgh bti ecv afp wfxt`, "R", "SOCS"],
  ],
  mt6991: [
    ["gzvm", true, "R", "uobe1, QZ"],
    [
      "hwcap",
      `${B} sve asimdfhm dit uscat ilrcpc flagm sb paca pacg dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint ` +
      "svei8mm svebf16 i8mm bf16 dgh bti ecv afp wfxt",
      "R",
      "SOCS",
    ],
  ],
};

for (const name of PHONE_NAMES) {
  Deno.test(`el2 reference phone ${name} has each value with its source and mark`, () => {
    const { values } = phoneAsJson(name) as unknown as { values: { key: string; value: unknown; mark: string; source: string }[] };
    assert.deepEqual(values.map(({ key }) => key), PHONE_KEY_NAMES);
    const own = new Map(TABLE[name].map(([key, ...rest]) => [key, rest]));
    for (const { key, value, mark, source } of values) {
      assert.deepEqual([value, mark, source], own.get(key) ?? [GENERIC[key], "generic", "el2"], key);
      assert.ok(phoneAsText(name).includes(key), key);
    }
  });
}

async function planned(text: string) {
  const result = await planText(text, undefined, GUESTS);
  assertPlanned(result);
  return result.run;
}
const driverOf = (run: Awaited<ReturnType<typeof planned>>) => (run.what as { host: NativeHostPlan }).host.driver;

Deno.test("a profile sets the keys that a file leaves out, and no other", async () => {
  const run = await planned(`el2 = 1\n[machine]\nphone = "sm8650"\n${VM}`);
  const rules = { capIds: "random", idleWatchdog: "refuse", parcels: 1024, reservedMemory: "must-match", ipaBits: 40, sizeMax: "span" };
  assert.deepEqual(run.behaviour, { ...DEFAULT_BEHAVIOUR, ...rules });
  const { device, memlock, quirks } = driverOf(run);
  assert.deepEqual([device, memlock, quirks?.bootContext], ["ack-6.1", 65_536, "ENODEV"]);
  const kept = await planned(
    `el2 = 1\n[machine]\nphone = "sm8650"\ncap_ids = "plain"\n[host]\ndevice = "v17"\nmemlock = "unlimited"\n[rm]\nparcels = 7\n${VM}`,
  );
  assert.deepEqual([kept.behaviour?.capIds, kept.behaviour?.parcels, kept.behaviour?.idleWatchdog], ["plain", 7, "refuse"]);
  assert.deepEqual([driverOf(kept).device, driverOf(kept).memlock], ["v17", Number.MAX_SAFE_INTEGER]);
  assert.equal(driverOf(await planned(`el2 = 1\n[machine]\nphone = "mt6991"\n${VM}`)).gzvm, true);
});

Deno.test("the profile generic, and none, are the same", async () => {
  const [none, generic] = [await planned(`el2 = 1\n${VM}`), await planned(`el2 = 1\n[machine]\nphone = "generic"\n${VM}`)];
  assert.deepEqual(generic, none);
  assert.deepEqual({ ...DEFAULT_BEHAVIOUR, ...phoneBehaviour("generic") }, DEFAULT_BEHAVIOUR);
});

Deno.test("an image as the host brings its own driver: a profile sets the machine and the Resource Manager", async () => {
  const run = await planned(`el2 = 1\n[machine]\nphone = "sm8650"\n[host]\nkind = "image"\nimage = "hello.bin"\n`);
  assert.deepEqual([run.behaviour?.capIds, run.behaviour?.reservedMemory, run.what.kind], ["random", "must-match", "boot"]);
  assert.deepEqual(phoneBehaviour("sm8650"), {
    capIds: "random",
    idleWatchdog: "refuse",
    parcels: 1024,
    reservedMemory: "must-match",
    ipaBits: 40,
    sizeMax: "span",
  });
  assert.equal(phoneBehaviour("sm8750").pvTime, true);
});

Deno.test("a phone that there is not is refused with those that there are", async () => {
  const result = await planText(`el2 = 1\n[machine]\nphone = "sm9999"\n${VM}`, "x", GUESTS);
  assert.ok(!result.ok);
  assert.match(planErrors(result).join("\n"), /phone "sm9999" is not known; use "generic", "sm8550"/);
});
