// EL2 beside QEMU: a bare-metal guest at EL2 (el2/guest.c) writes registers, runs code at EL2, EL1
// and EL0, and prints what comes of it, with and without HCR_EL2.E2H. Both machines must print the
// same text.

import assert from "node:assert/strict";
import { ExceptionClass, exceptionClass } from "../../src/cpu/core/architecture/exceptions.ts";
import { type CoreOptions, WasmCore } from "../../src/cpu/core/core.ts";
import { ExitReason, Stage2Flags } from "../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../src/cpu/core/state/layout.ts";
import { type Cpu, parseCpu, withEl2 } from "../../src/cpu/isa/cpus/cpus.ts";
import { systemRegisterText } from "../../src/cpu/isa/names/system-register-names.ts";
import { readElf } from "../../src/kit/formats/elf.ts";
import { newestQemuSystem, stableQemuSystem } from "../../scripts/newest-qemu.ts";
import { LONG, longTest } from "../support/long.ts";
import { runNative } from "../support/oracles.ts";
import { inFolder } from "../support/temporary-folder.ts";

const RAM_BASE = 0x4000_0000;
const RAM_SIZE = 0x80_0000;
const UART = 0x0900_0000;
const LAST_LINE = "end\n";
/** Ten times what the guest takes. */
const MOST_INSTRUCTIONS = 100_000_000;
/** Armv8.2, less what has a part at EL2 that is not built. */
const PLAIN = "v8.2,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS", CPU = withEl2(parseCpu(PLAIN));
/** Pointer authentication as QEMU's `max` has it. */
const RANGES = "+FEAT_TLBIOS,+FEAT_TLBIRANGE",
  POINTERS = "+FEAT_PAuth,+FEAT_PACQARMA5,+FEAT_EPAC,+FEAT_PAuth2,+FEAT_FPAC,+FEAT_FPACCOMBINE";
/** QEMU's core of that version. */
const QEMU_CPU = "neoverse-n1";
const MIDR = 0x414fd0c1n, MPIDR = 0x8000_0000n;

/** In the second of them, whatever is executed a few times is translated. */
const TIERS: Readonly<Record<string, CoreOptions>> = {
  interp: {},
  jit: { tier: "jit", hotness: { samples: 1, landings: 1, slice: 200 } },
};

/** Builds a guest of the folder, and calls `use` with its ELF file. */
function withGuest(name: string, use: (elf: string) => Promise<void>, defines: readonly string[] = []): Promise<void> {
  return inFolder(async (folder) => {
    const elf = `${folder}/guest.elf`, source = new URL("./el2/", import.meta.url).pathname;
    const linker = new URL("./exceptions/guest.ld", import.meta.url).pathname;
    const language = "-O1 -ffreestanding -mgeneral-regs-only -mstrict-align -fno-pic -fno-pie -fno-stack-protector";
    const flags = `${language} -march=armv8.2-a -nostdlib -static -Wl,--build-id=none`.split(" ");
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [
      ...flags,
      ...defines,
      ...["-T", linker, "-o", elf, `${source}start.S`, `${source}${name}`],
    ]);
    assert.equal(code, 0, stderr);
    await use(elf);
  });
}

const QEMU_MACHINE = "-M virt,gic-version=3,virtualization=on -nic none -display none -monitor none -serial stdio -no-reboot";

async function runOnQemu(elf: string): Promise<string> {
  const { stdout, stderr } = await runNative("qemu-system-aarch64", [...QEMU_MACHINE.split(" "), "-cpu", QEMU_CPU, "-kernel", elf]);
  assert.ok(stdout.endsWith(LAST_LINE), stderr + stdout.slice(-500));
  return stdout;
}

/** The register of a trapped MSR or MRS. */
const registerOf = (esr: number) =>
  systemRegisterText((esr >>> 20 & 3) << 14 | (esr >>> 14 & 7) << 11 | (esr >>> 10 & 15) << 7 | (esr >>> 1 & 15) << 3 | esr >>> 17 & 7);

/** The same of a QEMU of Debian: of the stable release, which has FEAT_FGT, or the newest one. */
async function runOnLaterQemu([program, ...args]: readonly string[], cpu: string, elf: string): Promise<string> {
  const command = new Deno.Command(program, { args: [...args, ...QEMU_MACHINE.split(" "), "-cpu", cpu, "-kernel", elf] });
  const { stdout, stderr } = await command.output(), text = new TextDecoder().decode(stdout);
  assert.ok(text.endsWith(LAST_LINE), new TextDecoder().decode(stderr) + text.slice(-500));
  return text;
}

interface Run {
  readonly cpu: Cpu;
  /** Registers that the core does not hold read as zero; else they are an error. */
  readonly otherRegisters?: "zero";
  readonly most?: number;
}

/** The text that the guest prints up to its SMC, which is PSCI SYSTEM_OFF. */
function runOnEl2(elf: Uint8Array, options: CoreOptions, { cpu, otherRegisters, most = MOST_INSTRUCTIONS }: Run = { cpu: CPU }): string {
  const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const core = new WasmCore(memory, { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, { ...options, cpu });
  const { entry, segments } = readElf(elf);
  for (const { address, bytes } of segments) new Uint8Array(memory.buffer).set(bytes, address - RAM_BASE + CORE_SIZE);
  const stage2 = core.stage2Pool.create();
  assert.ok(stage2);
  stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0);
  stage2.map(UART, UART, 4096, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device);
  const vcpu = core.createVcpu();
  vcpu.stage2 = stage2.id;
  vcpu.pc = BigInt(entry);
  vcpu.setRegister("MIDR_EL1", MIDR);
  vcpu.setRegister("MPIDR_EL1", MPIDR);
  let output = "";
  for (let now = 0; now < most;) {
    const exit = core.run(vcpu, now, most - now, now);
    now += exit.retired;
    if (exit.reason === ExitReason.Bus) {
      output += String.fromCharCode(Number(core.storeValue(vcpu, exit.esr) & 0xffn));
      core.skip(vcpu);
    } else if (exit.reason === ExitReason.Trap) {
      const kind = exceptionClass(exit.esr);
      if (kind === ExceptionClass.Smc) return output;
      if (kind === ExceptionClass.SystemRegister && otherRegisters) {
        if (exit.esr & 1) vcpu.setX(exit.esr >>> 5 & 31, 0n);
        core.skip(vcpu);
        continue;
      }
      const register = kind === ExceptionClass.SystemRegister ? `, ${registerOf(exit.esr)}` : "";
      assert.fail(`left the core: ESR 0x${exit.esr.toString(16)}${register}, PC 0x${vcpu.pc.toString(16)}; so far: ${output.slice(-300)}`);
    }
  }
  assert.fail(`no end; so far: ${output.slice(-300)}`);
}

Deno.test("registers, exceptions and translations of EL2 are those of QEMU, with and without E2H", () =>
  withGuest("guest.c", async (elf) => {
    const expected = (await runOnQemu(elf)).split("\n"), image = await Deno.readFile(elf);
    assert.ok(expected.length > 1000, `${expected.length} lines`);
    for (const [tier, options] of Object.entries(TIERS)) compare(tier, runOnEl2(image, options).split("\n"), expected);
  }));

longTest("each field of FEAT_FGT's registers traps what it traps on QEMU, with and without E2H", () =>
  withGuest("traps.c", async (elf) => {
    const expected = (await runOnLaterQemu(await stableQemuSystem(), "max", elf)).split("\n"), image = await Deno.readFile(elf);
    assert.ok(expected.length > 250, `${expected.length} lines`);
    const run: Run = { cpu: withEl2(parseCpu(`${PLAIN},${POINTERS},${RANGES},+FEAT_FGT`)), otherRegisters: "zero" };
    for (const [tier, options] of Object.entries(TIERS)) compare(tier, runOnEl2(image, options, run).split("\n"), expected);
  }));

longTest(
  "codes of pointers and guarded pages are at each level those of QEMU, and HCR_EL2.API and APK trap what they trap there",
  () =>
    withGuest("pointers.c", async (elf) => {
      const expected = (await runOnLaterQemu(await stableQemuSystem(), "max,pauth-qarma5=on", elf)).split("\n");
      assert.ok(expected.length > 40_000, `${expected.length} lines`);
      const image = await Deno.readFile(elf), run: Run = { cpu: withEl2(parseCpu(`${PLAIN},${POINTERS},+FEAT_BTI`)) };
      for (const [tier, options] of Object.entries(TIERS)) compare(tier, runOnEl2(image, options, run).split("\n"), expected);
    }),
);

longTest(
  "TLBI of ranges and OS forms exist, trap and invalidate at each level as on QEMU",
  () =>
    withGuest("invalidations.c", async (elf) => {
      const expected = (await runOnLaterQemu(await stableQemuSystem(), "max", elf)).split("\n"), image = await Deno.readFile(elf);
      assert.ok(expected.length > 3000, `${expected.length} lines`);
      const run: Run = { cpu: withEl2(parseCpu(`${PLAIN},${RANGES}`)) };
      for (const [tier, options] of Object.entries(TIERS)) compare(tier, runOnEl2(image, options, run).split("\n"), expected);
    }),
);

/** Random programs; a greater number finds more. */
const PROGRAMS = LONG ? 40 : 3;

Deno.test("random programs of EL2 print in both tiers what they print on QEMU", () =>
  withGuest("programs.c", async (elf) => {
    const expected = (await runOnQemu(elf)).split("\n"), image = await Deno.readFile(elf);
    assert.ok(expected.length > 100 * PROGRAMS, `${expected.length} lines`);
    for (const [tier, options] of Object.entries(TIERS)) compare(tier, runOnEl2(image, options).split("\n"), expected);
  }, ["-DFIRST=1", `-DPROGRAMS=${PROGRAMS}`]));

/** States of a program of programs.c, and how many programs a machine runs from its reset on. */
const STATES = 150, TOGETHER = 2000;
/** Of all: 10,000,000 states. */
const STATE_PROGRAMS = Math.ceil(10_000_000 / STATES);

longTest("random states of EL2 are in both tiers those of the newest QEMU", async () => {
  const qemu = await newestQemuSystem(), most = TOGETHER * MOST_INSTRUCTIONS;
  for (let first = 1; first <= STATE_PROGRAMS; first += TOGETHER) {
    const programs = Math.min(TOGETHER, STATE_PROGRAMS + 1 - first);
    const outputs = (shown: number): Promise<void> =>
      withGuest("programs.c", async (elf) => {
        const expected = (await runOnLaterQemu(qemu, QEMU_CPU, elf)).split("\n"), image = await Deno.readFile(elf);
        for (const [tier, options] of Object.entries(TIERS)) {
          const actual = runOnEl2(image, options, { cpu: CPU, most }).split("\n");
          const different = expected.findIndex((line, at) => line !== actual[at]);
          if (different < 0) continue;
          // The program prints its states, which say what is different.
          if (!shown) return await outputs(first + different);
          compare(tier, actual, expected);
        }
        assert.equal(expected.length, programs + "end\n".split("\n").length, `${shown}: another difference when it is shown`);
      }, [`-DFIRST=${first}`, `-DPROGRAMS=${programs}`, "-DDIGESTS", `-DSHOWN=${shown}`]);
    await outputs(0);
    console.log(`${(first + programs - 1) * STATES} states are equal`);
  }
});

function compare(tier: string, actual: readonly string[], expected: readonly string[]): void {
  const differences = expected.flatMap((line, i) => line === actual[i] ? [] : [`line ${i + 1}: QEMU ${line}\n  el2 ${actual[i]}`]);
  assert.deepEqual(differences.slice(0, 40), [], tier);
  assert.equal(actual.length, expected.length, tier);
}
