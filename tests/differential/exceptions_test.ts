// Exceptions, translation and system registers beside QEMU: a bare-metal guest (exceptions/guest.c)
// provokes some 8,000 exceptions and prints what it finds in ESR, FAR, ELR, SPSR and PSTATE. Both
// machines must print the same text.

import assert from "node:assert/strict";
import { type CoreOptions, WasmCore } from "../../src/cpu/core/core.ts";
import { ExceptionClass, exceptionClass, syndrome } from "../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason, Stage2Flags } from "../../src/cpu/core/interface.ts";
import { parseCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { CORE_SIZE } from "../../src/cpu/core/state/layout.ts";
import { storeValue, type VcpuContext } from "../../src/cpu/core/registers/vcpu-context.ts";
import { readElf } from "../../src/kit/formats/elf.ts";
import { runNative } from "../support/oracles.ts";

const RAM_BASE = 0x4000_0000;
const RAM_SIZE = 0x80_0000;
const UART = 0x0900_0000;
const LAST_LINE = "end\n";
/** Ten times what the guest takes. */
const MOST_INSTRUCTIONS = 50_000_000;

/** In the second of them, whatever is executed a few times is translated. */
const TIERS: Readonly<Record<string, CoreOptions>> = {
  interp: {},
  jit: { tier: "jit", hotness: { samples: 1, landings: 1, slice: 200 } },
};

async function buildGuest(...more: string[]): Promise<string> {
  const folder = new URL("./exceptions/", import.meta.url).pathname;
  const elf = await Deno.makeTempFile({ suffix: ".elf" });
  const language = "-O1 -ffreestanding -mgeneral-regs-only -mcpu=cortex-a57 -fno-pic -fno-pie -fno-stack-protector";
  const flags = `${language} -nostdlib -static -Wl,--build-id=none`;
  const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [
    ...flags.split(" "),
    ...more,
    "-T",
    `${folder}guest.ld`,
    "-o",
    elf,
    `${folder}start.S`,
    `${folder}guest.c`,
  ]);
  assert.equal(code, 0, stderr);
  return elf;
}

/** Output of the guest on QEMU. */
async function runOnQemu(elf: string, cpu: string): Promise<string> {
  const machine = `-M virt,gic-version=3 -cpu ${cpu} -nic none -display none -monitor none -serial stdio -no-reboot`;
  const { stdout, stderr } = await runNative("qemu-system-aarch64", [...machine.split(" "), "-kernel", elf]);
  assert.ok(stdout.endsWith(LAST_LINE), stderr);
  return stdout;
}

/** A write of a debug register, as EL2 makes it; false if it is another access. */
function writeDebugRegister(vcpu: VcpuContext, esr: number): boolean {
  const op0 = esr >>> 20 & 3, op2 = esr >>> 17 & 7, crn = esr >>> 10 & 15, crm = esr >>> 1 & 15;
  if (op0 !== 2 || esr & 1) return false;
  const value = storeValue(vcpu, esr);
  const { bvr, bcr, wvr, wcr } = vcpu.debug;
  if (crn === 0 && op2 >= 4) {
    [bvr, bcr, wvr, wcr][op2 - 4][crm] = value;
    vcpu.debug.version++;
  } else if (crn === 0 && crm === 2 && op2 === 2) vcpu.setRegister("MDSCR_EL1", value);
  return true;
}

/**
 * Output of the guest on our core. Registers that EL2 would answer are undefined, WFE does nothing,
 * HVC ends it.
 */
function runOnEl2(elf: Uint8Array, options: CoreOptions): string {
  const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const core = new WasmCore(memory, { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, options);
  const { entry, segments } = readElf(elf);
  for (const { address, bytes } of segments) new Uint8Array(memory.buffer).set(bytes, address - RAM_BASE + CORE_SIZE);
  const stage2 = core.stage2Pool.create();
  assert.ok(stage2);
  stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0);
  stage2.map(UART, UART, 4096, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device);
  const vcpu = core.createVcpu();
  vcpu.stage2 = stage2.id;
  vcpu.pc = BigInt(entry);

  let output = "";
  for (let now = 0; now < MOST_INSTRUCTIONS;) {
    const exit = core.run(vcpu, now, MOST_INSTRUCTIONS - now, now);
    now += exit.retired;
    if (exit.reason === ExitReason.Bus) {
      output += String.fromCharCode(Number(core.storeValue(vcpu, exit.esr) & 0xffn));
      core.skip(vcpu);
    } else if (exit.reason === ExitReason.Trap) {
      const kind = exceptionClass(exit.esr);
      if (kind === ExceptionClass.Hvc) return output;
      else if (kind === ExceptionClass.Wfx) core.skip(vcpu);
      else if (kind === ExceptionClass.SystemRegister && writeDebugRegister(vcpu, exit.esr)) core.skip(vcpu);
      else if (kind === ExceptionClass.SystemRegister) core.takeException(vcpu, syndrome(ExceptionClass.Unknown, 0));
      else assert.fail(`left for EL2: ESR 0x${exit.esr.toString(16)}, PC 0x${vcpu.pc.toString(16)}; so far: ${output.slice(-200)}`);
    }
  }
  assert.fail(`no end; so far: ${output.slice(-200)}`);
}

/** @param least lines that the guest prints */
async function compare(elf: string, cpu: string, least: number, more: CoreOptions = {}): Promise<void> {
  try {
    const expected = (await runOnQemu(elf, cpu)).split("\n"), image = await Deno.readFile(elf);
    assert.ok(expected.length > least, `${expected.length} lines`);
    for (const [tier, options] of Object.entries(TIERS)) {
      const actual = runOnEl2(image, { ...options, ...more }).split("\n");
      const differences = expected.flatMap((line, i) => line === actual[i] ? [] : [`line ${i + 1}: QEMU ${line}\n  el2 ${actual[i]}`]);
      assert.deepEqual(differences.slice(0, 20), [], tier);
      assert.equal(actual.length, expected.length, tier);
    }
  } finally {
    await Deno.remove(elf);
  }
}

// neoverse-n1 is the least of QEMU's CPUs that has PAN and LSE.
Deno.test("exceptions, translation and system registers are those of QEMU", async () => compare(await buildGuest(), "neoverse-n1", 8000));

Deno.test("what follows a change of translation, keys and guarded pages at EL1 and EL0 is as on QEMU's CPU with all features", async () =>
  compare(await buildGuest("-DSECURED"), "max", 150, { cpu: parseCpu("max") }));
