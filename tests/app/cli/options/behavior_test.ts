// Choices about the hypervisor and the primary's devices reach the machine, from --set of a command
// line and from [machine].

import assert from "node:assert/strict";
import { Command, Option } from "@commander-js/extra-typings";
import { argumentsOf } from "../../../../src/app/cli/options/behavior.ts";
import { BatteryRegister } from "../../../../src/machine/devices/goldfish-battery.ts";
import { Gicv2mRegister } from "../../../../src/machine/devices/gicv2m.ts";
import { UartRegister } from "../../../../src/machine/devices/uart-16550.ts";
import { QEMU_ECAM } from "../../../../src/machine/host/boards/qemu-virt/map.ts";
import { GIC_PIDR2 } from "../../../../src/machine/hypervisor/gic/gic-registers.ts";
import { Gits } from "../../../../src/machine/hypervisor/gic/its/its-registers.ts";
import {
  BATTERY_BASE,
  GICD_BASE,
  GICR_BASE,
  GITS_BASE,
  PL011_BASE,
  V2M_BASE,
  V2M_COUNT,
  V2M_INTID,
} from "../../../../src/machine/hardware/memory-map.ts";
import { buildAccesses, reported, withSteps } from "../../../guests/accesses/accesses.ts";
import { A64, boot, el2, SYSTEM_OFF } from "../program.ts";

/** `--set` of each key. */
const set = (...changes: string[]) => changes.flatMap((change) => ["--set", change]);
/** `hvc #imm` */
const hvc = (immediate: number) => (A64.hvc | immediate << 5) >>> 0;
const OFF = [...A64.loadW0(SYSTEM_OFF), hvc(0)];
/** Makes the call that the number of a hypercall never had, then powers off. */
const UNKNOWN_CALL = [hvc(0x7000), ...OFF];
/**
 * Powers off if X9 is not zero after a hypercall, else resets:
 * `hvc #0x6000; cbz x9, reset; OFF; reset: RESET`.
 */
const X9_TELLS = [hvc(0x6000), 0xb4000089, ...OFF, ...A64.loadW0(0x84000009), hvc(0)];

Deno.test("a guest's call that no rule covers ends a run with strict, and no other", async () => {
  const [plain, strict] = await Promise.all([boot(UNKNOWN_CALL), boot(UNKNOWN_CALL, "--set", "machine.strict=true")]);
  assert.deepEqual([plain.code, plain.stderr], [0, "el2: SYSTEM_OFF\n"]);
  assert.equal(strict.code, 1);
  assert.match(strict.stderr, /--strict: .* at PC 0x\w+: no rule covers HVC #0x7000/);
});

Deno.test("quirks as-observed brings the recorded X9 back; check, random cap_ids and hypervisor_node change nothing for a guest", async () => {
  const [fixed, observed] = await Promise.all([
    boot(X9_TELLS),
    boot(
      X9_TELLS,
      ...set("machine.quirks=as-observed", "machine.check=true", "machine.cap_ids=random", "machine.hypervisor_node=binding-v6"),
    ),
  ]);
  assert.deepEqual([fixed.code, observed.code], [1, 0]);
});

Deno.test("geniezone answers GenieZone's PROBE, by HVC and by SMC; without it the call is unknown", async () => {
  const SMC = 0xd4000003;
  /** Makes the call, then powers off if X0 is zero, else resets: `cbnz x0, reset`. */
  const probe = (call: number) => [...A64.loadW0(0xfb00_100c), call, 0xb5000080, ...OFF, ...A64.loadW0(0x84000009), hvc(0)];
  const runs = [
    boot(probe(hvc(0)), ...set("machine.geniezone=true")),
    boot(probe(SMC), ...set("machine.geniezone=true")),
    boot(probe(hvc(0))),
  ];
  assert.deepEqual((await Promise.all(runs)).map(({ code }) => code), [0, 0, 1]);
});

Deno.test("msi, bus, uart and platform_devices give the primary VM its frame or ITS, a PCI host, a 16550A and crosvm's devices", async () => {
  const program = await buildAccesses(), platform = { uart: PL011_BASE, gicd: GICD_BASE, gicr: GICR_BASE };
  const word = (at: number, size = 4) => ({ do: "load", at, size }) as const;
  const bridge = word(QEMU_ECAM.base), status = word(PL011_BASE + UartRegister.LSR, 1);
  const common = set("host.bus=pci", "host.uart=16550a");
  const runs = [
    { options: [...set("machine.msi=gicv2m"), ...common], steps: [word(V2M_BASE + Gicv2mRegister.TYPER), bridge, status] },
    { options: [...set("machine.msi=its"), ...common], steps: [word(GITS_BASE + Gits.PIDR2), bridge, status] },
    {
      options: [...set('host.platform_devices=["battery", "pvpanic"]'), ...common],
      steps: [word(BATTERY_BASE + BatteryRegister.CAPACITY), word(QEMU_ECAM.base + (1 << 15)), status],
    },
  ];
  const outputs = await Promise.all(runs.map(({ options, steps }) => boot(withSteps(program, platform, steps), ...options)));
  const values = outputs.map(({ stdout }) => [...reported(stdout).values()].map(([value]) => value));
  assert.deepEqual(
    values,
    [[V2M_INTID << 16 | V2M_COUNT, 0x0008_1b36, 0x60], [GIC_PIDR2, 0x0008_1b36, 0x60], [50, 0x0011_1b36, 0x60]].map((each) =>
      each.map(BigInt)
    ),
  );
  const refused = await boot(OFF, ...set('host.platform_devices=["pvpanic"]'));
  assert.deepEqual(refused.code, 2);
  assert.match(refused.stderr, /pvpanic is a function of the PCI host; add bus = "pci"/);
});

Deno.test("[machine] has the same choices", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const words = new Uint32Array([...UNKNOWN_CALL, A64.branch(0)]);
    await Deno.writeFile(`${folder}/guest.bin`, new Uint8Array(words.buffer));
    const machine = 'hypervisor_node = "binding"\nstrict = true\ncheck = true\ncap_ids = "random"\nquirks = "as-observed"';
    await Deno.writeTextFile(`${folder}/a.toml`, `el2 = 1\n[machine]\n${machine}\n[vm.a]\nimage = "guest.bin"\nmemory = "16MiB"\n`);
    const { code, stderr } = await el2("run", `${folder}/a.toml`, "--turbo", "--for", "1s");
    assert.match(stderr, /--strict: .*no rule covers HVC #0x7000/);
    assert.equal(code, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("options go to another command line as they were given, negated ones too", () => {
  const options = [new Option("--turbo"), new Option("--name <name>"), new Option("--inject <rule...>"), new Option("--no-color")];
  const given = (line: readonly string[]) => {
    const command = new Command();
    for (const option of options) command.addOption(option);
    command.parse(line, { from: "user" });
    return argumentsOf(options, command.opts());
  };
  for (const line of [[], ["--turbo"], ["--name", "x"], ["--inject", "a", "--inject", "b"], ["--no-color"]]) {
    assert.deepEqual(given(line), line);
  }
});
