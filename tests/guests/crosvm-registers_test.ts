// Each register of docs/spec/phones.md §C2, loaded and stored by the instructions of a bare-metal
// guest in a VM with crosvm's platform. Checks cite the words of the section that they check, and
// the section has no register without one.

import assert from "node:assert/strict";
import { FIRST_SPI } from "../../src/machine/devicetree/gic.ts";
import { CommonConfig as C, VIRTIO_BAR_SIZE } from "../../src/machine/devices/virtio-pci-registers.ts";
import {
  CROSVM_BATTERY,
  CROSVM_CAM,
  CROSVM_GICD,
  CROSVM_RTC,
  CROSVM_SERIALS,
  CROSVM_STALL,
  crosvmBar,
  crosvmCpufreq,
  crosvmGicr,
  crosvmPciSpi,
} from "../../src/machine/host/boards/crosvm/map.ts";
import type { VmPlan } from "../../src/machine/host/data/plan.ts";
import { bareMetalImage } from "../../src/inside/images/images.ts";
import { Feature } from "../../src/machine/virtio/device.ts";
import { RngDevice } from "../../src/machine/virtio/rng/rng.ts";
import { HOST_MEMORY, MIB, vmPlan } from "../machine/host/plans.ts";
import { Stack } from "../machine/host/stack.ts";
import { sectionText } from "../support/specification.ts";
import { buildAccesses, Checks, enableSteps, type GuestPlatform, uncovered, withSteps } from "./accesses/accesses.ts";

const BASE = 0x8000_0000, MEMORY = 8 * MIB, VCPUS = 2;
const FREQUENCIES = [600_000, 900_000, 1_800_000];
const PLATFORM: GuestPlatform = { uart: CROSVM_SERIALS[0].base, gicd: CROSVM_GICD.base, gicr: crosvmGicr(VCPUS).base };
const SECOND = 1e9, MS = 1e6;
/** Bytes of the entropy device. */
const FILL = 0x5a;
const NOT_SUPPORTED = -1;

const PROGRAM = await buildAccesses();

const config = (slot: number, register: number) => CROSVM_CAM.base + (slot << 11) + register;

/** Interrupts that are edges; the others are levels. */
const EDGES = [...new Set([...CROSVM_SERIALS.map(({ spi }) => spi), CROSVM_RTC.spi, CROSVM_STALL.interrupt])].map((spi) => FIRST_SPI + spi);

/** Enables an SPI. */
function receive(checks: Checks, spi: number): void {
  checks.then(...enableSteps(PLATFORM, [FIRST_SPI + spi], EDGES));
}

/** Serial ports: all of them have the same registers. */
function serialPorts(checks: Checks): void {
  checks.line("16550A");
  for (const { base, spi } of CROSVM_SERIALS) {
    checks
      .load("Offsets 0–7", base + 1, 1, 0).store("Offsets 0–7", base + 7, 1, 0xa5).load("Offsets 0–7", base + 7, 1, 0xa5)
      .load("IIR gives 0xC0 in FIFO bits", base + 2, 1, 0xc1)
      .load("LCR reset 3", base + 3, 1, 3)
      .load("MCR has OUT2", base + 4, 1, 8)
      .load("LSR idle 0x60", base + 5, 1, 0x60)
      .load("MSR 0xB0", base + 6, 1, 0xb0)
      .store("divisor latch reset 12", base + 3, 1, 0x83)
      .load("divisor latch reset 12", base, 1, 12).load("divisor latch reset 12", base + 1, 1, 0)
      .store("Offsets 0–7", base, 1, 1).load("Offsets 0–7", base, 1, 1).store("LCR reset 3", base + 3, 1, 3);
    // As many characters as there is room for, and one that is lost.
    const fifo = "loopback FIFO 0x40 bytes";
    checks.store(fifo, base + 4, 1, 0x18);
    for (let sent = 0; sent <= 0x40; sent++) checks.store(fifo, base, 1, sent);
    checks.load(fifo, base + 5, 1, 0x61);
    for (let sent = 0; sent < 0x40; sent++) checks.load(fifo, base, 1, sent);
    checks.load(fifo, base + 5, 1, 0x60).store("MCR has OUT2", base + 4, 1, 8);
    // The interrupt is an edge: it comes although its cause has gone, and comes once.
    receive(checks, spi);
    checks
      .irq("**edge** interrupt", undefined)
      .store("No real FIFO for transmit: always empty [I]", base + 1, 1, 2)
      .load("No real FIFO for transmit: always empty [I]", base + 2, 1, 0xc2).load("Offsets 0–7", base + 2, 1, 0xc1)
      .irq("**edge** interrupt", FIRST_SPI + spi).irq("**edge** interrupt", undefined)
      .store("Offsets 0–7", base + 1, 1, 0);
  }
}

function clock(checks: Checks): void {
  const { base } = CROSVM_RTC;
  checks.line("PL030")
    .load("DR 0x0 (seconds)", base, 4, 0).then({ do: "wait", ns: 2 * SECOND }).load("DR 0x0 (seconds)", base, 4, 2)
    .load("MR 0x4", base + 4, 4, 0).store("alarm and setting do nothing", base + 4, 4, 3)
    .load("STAT/EOI 0x8", base + 8, 4, 0).store("STAT/EOI 0x8", base + 8, 4, 0)
    .load("LR 0xC", base + 0xc, 4, 0).store("alarm and setting do nothing", base + 0xc, 4, 1000)
    .load("CR 0x10", base + 0x10, 4, 0).store("CR 0x10", base + 0x10, 4, 1)
    .then({ do: "wait", ns: 2 * SECOND }).load("alarm and setting do nothing", base, 4, 4)
    .load("0xFE0 reads 0x0004_1030", base + 0xfe0, 4, 0x4_1030)
    .load("0xFD8 reads 0x000F_FFFF", base + 0xfd8, 4, 0xf_ffff);
}

/** Registers alone; expiry ends the VM. */
function stallDetector(checks: Checks): void {
  checks.line("vmwdt");
  for (const frame of [0, 1].map((vcpu) => CROSVM_STALL.base + 0x10 * vcpu)) {
    checks.load("FREQ 0xC", frame + 0xc, 4, 0).store("FREQ 0xC", frame + 0xc, 4, 10)
      .load("LOAD 0x4", frame + 4, 4, 0).store("LOAD 0x4", frame + 4, 4, 1000)
      .load("CURRENT 0x8", frame + 8, 4, 0).store("CURRENT 0x8", frame + 8, 4, 1)
      .load("STATUS 0x0", frame, 4, 0).store("STATUS 0x0 (not 0 starts)", frame, 4, 2).load("all of which read as 0", frame, 4, 0)
      .store("STATUS 0x0", frame, 4, 0);
  }
}

/** Registers of the battery, and what they are without news from the host. */
const BATTERY = [
  ...[["INT_STATUS 0x0", 0], ["INT_ENABLE 0x4", 0], ["AC_ONLINE 0x8", 1], ["STATUS 0xC", 0], ["HEALTH 0x10", 0], ["PRESENT 0x14", 1]],
  ...[["CAPACITY 0x18", 50], ["VOLTAGE 0x1C", 0], ["TEMP 0x20", 0], ["CHARGE_COUNTER 0x24", 0], ["VOLTAGE_MAX 0x28", 0]],
  ...[["CURRENT_MAX 0x2C", 0], ["CURRENT_NOW 0x30", 0], ["CURRENT_AVG 0x34", 0], ["CHARGE_FULL 0x38", 0], ["CYCLE_COUNT 0x40", 0]],
] as [string, number][];

function battery(checks: Checks): void {
  checks.line("battery");
  const enable = CROSVM_BATTERY.base + 4;
  for (const [words, value] of BATTERY) {
    const at = CROSVM_BATTERY.base + parseInt(words.split(" ")[1], 16);
    checks.load(words, at, 4, value);
    // Only one can be set.
    if (at !== enable) checks.store(words, at, 4, value + 1).load(words, at, 4, value);
  }
  checks.store("INT_ENABLE 0x4", enable, 4, 3).load("INT_ENABLE 0x4", enable, 4, 3);
}

function cpufreq(checks: Checks): void {
  checks.line("virtual cpufreq");
  const most = FREQUENCIES.at(-1)!, [least, middle] = FREQUENCIES;
  const { base, size } = crosvmCpufreq(VCPUS);
  for (let vcpu = 0; vcpu < VCPUS; vcpu++) {
    const frame = base + vcpu * size / VCPUS;
    checks.load("CUR_PERF 0x0", frame, 4, most).store("SET_PERF 0x4", frame + 4, 4, middle).load("CUR_PERF 0x0", frame, 4, middle)
      .load("FREQTBL_LEN 0x8", frame + 8, 4, FREQUENCIES.length);
    for (const [index, kHz] of [...FREQUENCIES, 0].entries()) {
      checks.store("FREQTBL_SEL 0xC", frame + 0xc, 4, index).load("FREQTBL_RD 0x10", frame + 0x10, 4, kHz);
    }
    checks.load("PERF_DOMAIN 0x14", frame + 0x14, 4, vcpu)
      .load("other registers read 0 and ignore stores", frame + 0x18, 4, 0).store("other registers", frame + 0x18, 4, least)
      .load("other registers read 0", frame + 0x18, 4, 0);
  }
}

function bridge(checks: Checks): void {
  checks.line("PCI host bridge").load("00:00.0 = 8086:1237", config(0, 0), 4, 0x1237_8086).load("class 0600", config(0, 8), 4, 0x0600_0000);
}

/** A function with an entropy device, which fills a buffer of the guest's. */
function virtio(checks: Checks): void {
  const bar = crosvmBar(0), spi = crosvmPciSpi(0);
  const queue = BASE + 2 * MIB, driver = queue + 0x1000, device = queue + 0x2000, buffer = queue + 0x3000;
  checks.line("virtio-pci")
    .load("1AF4:1040+type", config(1, 0), 4, 0x1044_1af4).load("revision 1", config(1, 8), 1, 1)
    .load("Subsystem ids repeat vendor and device", config(1, 0x2c), 4, 0x1044_1af4)
    .load("subclass always 0x80", config(1, 0xa), 1, 0x80).load("entropy and balloon 08", config(1, 0xb), 1, 8)
    .load("One 64-bit BAR0 of 32 KiB", config(1, 0x10), 4, bar + 4).load("One 64-bit BAR0", config(1, 0x14), 4, 0)
    .store("BAR0 of 32 KiB", config(1, 0x10), 4, 0xffff_ffff)
    .load("BAR0 of 32 KiB", config(1, 0x10), 4, 0xffff_ffff - VIRTIO_BAR_SIZE + 1 + 4)
    .store("BAR0 of 32 KiB", config(1, 0x10), 4, bar)
    .load("shared memory in BAR 2", config(1, 0x18), 4, 0)
    .store("modern only", config(1, 4), 2, 6);
  // The common configuration, field by field.
  const set = (offset: number, size: number, value: number) => checks.store("common 0x0 (56 bytes)", bar + offset, size, value);
  const is = (offset: number, size: number, value: number) => checks.load("common 0x0 (56 bytes)", bar + offset, size, value);
  const version = 2 ** (Feature.VERSION_1 - 32);
  is(C.device_status, 1, 0), set(C.device_status, 1, 1), set(C.device_status, 1, 3);
  is(C.device_feature_select, 4, 0), set(C.device_feature_select, 4, 1), is(C.device_feature_select, 4, 1);
  is(C.device_feature, 4, version);
  is(C.driver_feature_select, 4, 0), set(C.driver_feature_select, 4, 1), is(C.driver_feature_select, 4, 1);
  is(C.driver_feature, 4, 0), set(C.driver_feature, 4, version), is(C.driver_feature, 4, version);
  set(C.device_status, 1, 0xb), is(C.device_status, 1, 0xb);
  is(C.num_queues, 2, 1), is(C.config_generation, 1, 0);
  for (const vector of [C.config_msix_vector, C.queue_msix_vector]) set(vector, 2, 0), is(vector, 2, 0xffff);
  is(C.queue_select, 2, 0), set(C.queue_select, 2, 1), is(C.queue_size, 2, 0), set(C.queue_select, 2, 0);
  is(C.queue_size, 2, 256), set(C.queue_size, 2, 1), is(C.queue_size, 2, 1);
  is(C.queue_notify_off, 2, 0), is(C.queue_enable, 2, 0);
  for (const [field, place] of [[C.queue_desc, queue], [C.queue_driver, driver], [C.queue_device, device]]) {
    set(field, 4, place), set(field + 4, 4, 0), is(field, 4, place), is(field + 4, 4, 0);
  }
  set(C.queue_enable, 2, 1), is(C.queue_enable, 2, 1);
  set(C.device_status, 1, 0xf), is(C.device_status, 1, 0xf);
  receive(checks, spi);
  // A buffer of 16 bytes that the device writes, and its notification.
  const memory = (at: number, size: number, value: number) => checks.then({ do: "store", at, size, value });
  memory(queue, 8, buffer), memory(queue + 8, 4, 16), memory(queue + 12, 4, 2);
  memory(driver + 4, 2, 0), memory(driver + 2, 2, 1);
  checks.load("ISR 0x1000", bar + 0x1000, 1, 0)
    .line("interrupts of PCI").irq("INTx level-high, SPI 4", undefined).line("virtio-pci")
    .store("notify 0x3000 (multiplier 4)", bar + 0x3000, 2, 0).then({ do: "spin", ns: MS })
    .load("notify 0x3000", buffer, 4, 0x0101_0101 * FILL).load("notify 0x3000", device + 2, 2, 1);
  checks.line("interrupts of PCI").irq("INTx level-high, SPI 4", FIRST_SPI + spi)
    .line("virtio-pci").load("ISR 0x1000", bar + 0x1000, 1, 1).load("ISR 0x1000", bar + 0x1000, 1, 0)
    .line("interrupts of PCI").irq("INTx level-high", undefined)
    .line("virtio-pci").load("device 0x2000", bar + 0x2000, 4, 0).store("device 0x2000", bar + 0x2000, 4, 1).load(
      "device 0x2000",
      bar + 0x2000,
      4,
      0,
    )
    .load("MSI-X table 0x6000", bar + 0x6000, 4, 0).store("MSI-X table 0x6000", bar + 0x6000, 4, 1).load(
      "MSI-X table 0x6000",
      bar + 0x6000,
      4,
      0,
    )
    .load("PBA 0x7000", bar + 0x7000, 4, 0);
  // The list of capabilities has vendor-specific ones alone.
  checks.line("interrupts of PCI").load("MSI only with an ITS, i.e. not on Gunyah", config(1, 0x34), 1, 0x40);
  for (const [at, next] of [[0x40, 0x54], [0x54, 0x64], [0x64, 0x74], [0x74, 0x84], [0x84, 0]]) {
    checks.load("MSI only with an ITS, i.e. not on Gunyah", config(1, at), 2, 9 + (next << 8));
  }
}

function pvpanic(checks: Checks): void {
  const slot = 2, bar = crosvmBar(1);
  checks.line("pvpanic")
    .load("PCI 1B36:0011", config(slot, 0), 4, 0x0011_1b36).load("revision 1, class FF.FF.00", config(slot, 8), 4, 0xffff_0001)
    .load("subsystem 00FF:00FF", config(slot, 0x2c), 4, 0x00ff_00ff).load("the last function", config(slot + 1, 0), 4, 0xffff_ffff)
    .store("BAR0 of 0x10 bytes", config(slot, 0x10), 4, 0xffff_ffff).load("BAR0 of 0x10 bytes", config(slot, 0x10), 4, 0xffff_fff0)
    .store("BAR0 of 0x10 bytes", config(slot, 0x10), 4, bar).store("BAR0 of 0x10 bytes", config(slot, 4), 2, 2)
    .load("byte 0, by accesses of one byte: reads 3", bar, 1, 3).load("by accesses of one byte", bar, 4, 0)
    .store("2 = crash kernel loaded", bar, 1, 2).store("write 1 = panicked", bar, 1, 1)
    .load("the VM continues", bar, 1, 3);
}

function absent(checks: Checks): void {
  checks.line("SMCCC TRNG").call("pKVM power HVC 0xC600_003C", "hvc", [0xc600_003c], [NOT_SUPPORTED]);
}

const PARTS = { serialPorts, clock, stallDetector, battery, cpufreq, bridge, virtio, pvpanic, absent };

/** Runs a VM whose guest makes these checks. */
function run(checks: Checks, changes: Partial<VmPlan> = {}): Stack {
  const image = bareMetalImage(withSteps(PROGRAM, PLATFORM, checks.steps), BASE, MEMORY);
  const plan = {
    platform: "crosvm",
    image,
    memory: MEMORY,
    vcpus: VCPUS,
    cpuFrequencies: FREQUENCIES,
    devices: [{ kind: "rng" }],
  } as const;
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: VCPUS, vms: [vmPlan("a", { ...plan, ...changes })] }, {
    ...{ cpus: VCPUS, device: "v14" },
    devices: () => new RngDevice({ fill: (into) => void into.fill(FILL), save: () => null, restore() {} }),
  });
  stack.run(60 * SECOND);
  return stack;
}

const problems = (stack: Stack) => stack.log().filter((line) => line.startsWith("error"));

Deno.test("each device of phones.md §C2 answers loads and stores of a guest's instructions as the section says", () => {
  const checks = new Checks();
  for (const part of Object.values(PARTS)) part(checks);
  const stack = run(checks);
  assert.deepEqual(checks.differences(stack.console("a")), []);
  assert.deepEqual(problems(stack), ["error a: pvpanic reports that the guest's kernel has panicked"]);
  assert.ok(stack.log().includes("a exited system-off"), stack.log().join("\n"));
});

/** Lines of the section's table, each beginning with the device's name. */
function sectionLines(): string[] {
  const rows = sectionText("phones", "C2").split("\n").filter((line) => line.startsWith("| ")).slice(2);
  return rows.map((row) => row.slice(1, -1).split("|").map((cell) => cell.trim()).join(": "));
}

/** Parts that checks have to name: registers and values, with the word before them, and ids. */
const PART = /(?:[\w/]+ )?0x[0-9A-F_]+|[0-9A-F]{4}:[0-9A-F]{4}|Offsets [\d–]+|\b[A-Z]{2}R\b/g;

Deno.test("each register, value and id in phones.md §C2 has a check that cites it", () => {
  const checks = new Checks();
  for (const part of Object.values(PARTS)) part(checks);
  const lines = sectionLines();
  assert.equal(lines.length, 10);
  assert.deepEqual(uncovered(lines, checks.claims, PART), []);
});

Deno.test("a register that nothing checks is found, and words that the section does not have", () => {
  const checks = new Checks();
  for (const [name, part] of Object.entries(PARTS)) if (name !== "pvpanic") part(checks);
  checks.line("PL030").load("DR 0x4", 0, 4, 0);
  const lines = [...sectionLines(), "new device: CTRL 0x0"].map((line) => line.replace("FREQ 0xC", "FREQ 0xC, RATE 0x14"));
  const [pvpanic, ...others] = uncovered(lines, checks.claims, PART).sort((a, b) =>
    Number(b.includes("pvpanic")) - Number(a.includes("pvpanic"))
  );
  assert.match(pvpanic, /^no check of: pvpanic: /);
  assert.equal(others.length, 3, others.join("\n"));
  assert.ok(others.includes("the section does not have: PL030 DR 0x4"));
  assert.ok(others.some((text) => text.startsWith("no check of RATE 0x14 in: vmwdt")));
  assert.ok(others.includes("no check of: new device: CTRL 0x0"));
});

Deno.test("an access at another offset of the PL030 is reported", () => {
  const checks = new Checks().line("PL030").load("other offsets make the VMM panic", CROSVM_RTC.base + 0x14, 4, 0);
  const stack = run(checks);
  assert.deepEqual(problems(stack), ["error a: load of 4 bytes at 0x2014, an unmapped address"]);
  assert.deepEqual(checks.differences(stack.console("a")), []);
});

Deno.test("a stall detector that is not restarted interrupts its vCPU's VM, then resets it; sleep does not count", () => {
  const at = (register: number) => CROSVM_STALL.base + register;
  const checks = new Checks().line("vmwdt");
  receive(checks, CROSVM_STALL.interrupt);
  checks.store("FREQ 0xC", at(0xc), 4, 1000).store("LOAD 0x4", at(4), 4, 10).store("STATUS 0x0", at(0), 4, 1)
    .then({ do: "wait", ns: SECOND }).irq("only the vCPU's own run time counts", undefined)
    .store("LOAD 0x4", at(4), 4, 10).then({ do: "spin", ns: 8 * MS }).store("LOAD 0x4", at(4), 4, 10).then({ do: "spin", ns: 8 * MS })
    .irq("LOAD 0x4", undefined).then({ do: "spin", ns: 4 * MS })
    .irq("first expiry rings", FIRST_SPI + CROSVM_STALL.interrupt).then({ do: "flush" }, { do: "spin", ns: 30 * MS })
    .irq("the second resets the VM", undefined);
  const stack = run(checks);
  assert.deepEqual(checks.differences(stack.console("a")), [
    "vmwdt: the second resets the VM: irq  gives nothing, not 0x3ff",
  ]);
  assert.deepEqual(problems(stack), ["error a: vCPU 0 ran twice its time without restarting its stall detector"]);
  assert.deepEqual(uncovered(sectionLines().filter((line) => line.startsWith("vmwdt")), checks.claims, /^$/g), []);
});
