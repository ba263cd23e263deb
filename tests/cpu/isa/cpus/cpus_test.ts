// CPUs by name: what each has, and what is refused.

import assert from "node:assert/strict";
import { absentFeatures, ARCHITECTURES, CPU_NAMES, cpuOfPlan, hwcapsOf, parseCpu, planCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { FEATURE_NAMES, FEATURES, hwcapLine, isBuilt, PAC_ALGORITHMS } from "../../../../src/cpu/isa/cpus/features.ts";
import { identificationOf } from "../../../../src/cpu/isa/cpus/identification.ts";
import { instructions } from "../../../../src/cpu/isa/table.ts";
import { ROOT } from "../../../support/files.ts";

/** Lines of features that Linux prints on phones, by the start of their row in phones.md. */
const PHONES: Readonly<Record<string, string>> = {
  sm8450: "SM8450",
  sm8475: "SM8475",
  sm8550: "SM8550",
  sm8650: "SM8650",
  sm8750: "SM8750",
  sm8850: "SM8850-AD",
  mt6983: "MT6983",
  mt6989: "MT6989",
  mt6991: "MT6991",
  mt6993: "Dimensity 9500",
  exynos2200: "Exynos 2200",
  exynos2400: "Exynos 2400",
  exynos2500: "Exynos 2500",
  exynos2600: "Exynos 2600",
};

const text = Deno.readTextFileSync(new URL("docs/spec/phones.md", ROOT));
const [, BASE] = /Let \*\*B\*\* =\s*`([^`]+)`/.exec(text)!;
/** The line of a phone: the first one of its row, or what the row says that it equals. */
function line(start: string): string {
  const row = text.split("\n").find((one) => one.startsWith(`| ${start} `))!;
  const same = /the line of (MT6991|Dimensity 9500), word for word/.exec(row)?.[1];
  return same ? line(same) : `${BASE} ${/`((?:sve |asimdfhm)[^`]*)`/.exec(row)![1]}`;
}

Deno.test("/proc/cpuinfo of a phone's CPU has the line of phones.md, less what el2 has not built", () => {
  const built = new Set(hwcapLine(new Set(FEATURE_NAMES.filter(isBuilt))).split(" "));
  for (const [name, start] of Object.entries(PHONES)) {
    const expected = line(start).split(" ").filter((one) => built.has(one));
    assert.deepEqual(hwcapsOf(parseCpu(name)).split(" ").toSorted(), expected.toSorted(), name);
    const absent = absentFeatures(name).flatMap((feature) => FEATURES[feature].hwcaps ?? []);
    const rest = line(start).split(" ").filter((one) => !built.has(one) && !/^(sve|sme|mte)/.test(one));
    assert.deepEqual(absent.toSorted(), rest.toSorted(), `${name}: absent`);
  }
});

Deno.test("an architecture has all of the one below it, and only what is built", () => {
  const sets = ARCHITECTURES.map((name) => parseCpu(name).features);
  for (const [i, features] of sets.entries()) {
    assert.ok([...features].every(isBuilt));
    if (i > 0) assert.ok(sets[i - 1].isSubsetOf(features), ARCHITECTURES[i]);
  }
  assert.equal(parseCpu("v8").key, "");
  assert.equal(sets.at(-1)!.size, FEATURE_NAMES.filter(isBuilt).length - (PAC_ALGORITHMS.length - 1));
});

Deno.test("an entry of the instruction table belongs to a feature that is built, and requirements are features", () => {
  // FEAT_EL2 is built, but no text adds it to a CPU.
  for (const { name, feature } of instructions()) assert.ok(feature === undefined || feature === "FEAT_EL2" || isBuilt(feature), name);
  for (const name of FEATURE_NAMES) for (const required of FEATURES[name].requires ?? []) assert.ok(required in FEATURES, required);
});

Deno.test("fields of ID registers do not overlap, and grow with the features of one field", () => {
  const before = new Map<string, number>();
  for (const name of FEATURE_NAMES) {
    for (const [register, bit, value] of FEATURES[name].fields ?? []) {
      assert.equal(bit % 4, 0, name);
      // Of the granule of 64 KiB, 0 says that it is there.
      assert.ok(name === "FEAT_TGran64K" || value > (before.get(`${register} ${bit}`) ?? 0), name);
      before.set(`${register} ${bit}`, value);
    }
  }
});

Deno.test("changes add and remove features, and say what they cannot be", () => {
  const cpu = parseCpu("v8,+FEAT_FlagM");
  assert.deepEqual([cpu.name, cpu.key], ["v8,+FEAT_FlagM", "FEAT_FlagM"]);
  assert.equal(parseCpu("v8,+flagm,+FLAGM2,-flagm2").name, cpu.name, "in any case and order, without FEAT_");
  assert.equal(identificationOf(cpu.features).ISAR0 >> 52n & 15n, 1n);
  assert.equal(parseCpu("v8.6,+pacqarma5").name, "v8.6,-FEAT_PACIMP,+FEAT_PACQARMA5", "one algorithm takes the place of another");
  const level = (cpu: string) => {
    const { ISAR1, ISAR2 } = identificationOf(parseCpu(cpu).features);
    return [ISAR1 >> 4n & 15n, ISAR1 >> 8n & 15n, ISAR1 >> 24n & 15n, ISAR1 >> 28n & 15n, ISAR2 >> 8n & 15n, ISAR2 >> 12n & 15n].map(
      Number,
    );
  };
  assert.deepEqual(level("v8.4"), [0, 1, 0, 1, 0, 0]);
  assert.deepEqual(level("v8.6,+pacqarma3"), [0, 0, 0, 0, 1, 3]);
  assert.deepEqual(level("a710"), [5, 0, 1, 0, 0, 0]);
  assert.deepEqual(level("v8"), [0, 0, 0, 0, 0, 0]);
  const refusals: readonly (readonly [string, RegExp])[] = [
    ["v9", /^"v9" is not a CPU; use v8, v8\.2/],
    ["", /^"" is not a CPU/],
    ["toString", /^"toString" is not a CPU/],
    ["v8,flagm", /^"flagm" does not change a CPU; write \+FEATURE or -FEATURE/],
    ["v8,+FEAT_X", /^"FEAT_X" is not a feature; did you mean "FEAT_XS"\?$/],
    ["v8,+pauth", /^FEAT_PAuth requires one of FEAT_PACIMP, FEAT_PACQARMA5, FEAT_PACQARMA3$/],
    ["v8,+pacimp", /^FEAT_PACIMP requires FEAT_PAuth/],
    ["v8,+sve", /^el2 has not built FEAT_SVE; use .*FEAT_FlagM/],
    ["v8,-lse", /^every CPU of el2 has FEAT_LSE/],
    ["v8,+flagm2", /^FEAT_FlagM2 requires FEAT_FlagM; add \+FEAT_FlagM, or take it away: -FEAT_FlagM2$/],
  ];
  for (const [wrong, message] of refusals) assert.throws(() => parseCpu(wrong), { message });
});

Deno.test("the CPU of the recordings has their ID registers of instructions and of addresses, to the bit", () => {
  const observed = Deno.readTextFileSync(new URL("docs/spec/observed.md", ROOT)),
    registers = identificationOf(parseCpu("recorded").features);
  for (const name of ["PFR1", "ISAR0", "ISAR1", "MMFR2"] as const) {
    const [, value] = new RegExp(`ID registers \\(primary[^.]*?${name}\\s+(0x[0-9a-f]+)`).exec(observed)!;
    assert.equal(registers[name].toString(16), value.slice(2), name);
  }
});

Deno.test("a plan has the features of its CPU, and is refused where the name has others", () => {
  assert.equal(planCpu("v8"), undefined);
  for (const name of CPU_NAMES) assert.equal(cpuOfPlan(planCpu(name)).key, parseCpu(name).key);
  const plan = planCpu("v8,+FEAT_FlagM")!;
  assert.throws(
    () => cpuOfPlan({ ...plan, features: "FEAT_SVE" }),
    /the CPU "v8,\+FEAT_FlagM" of the plan has the features FEAT_SVE; here its features are FEAT_FlagM/,
  );
});
