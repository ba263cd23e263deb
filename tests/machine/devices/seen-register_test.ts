// A register that is seen without a load is what a load gives, and seeing it changes nothing:
// serial ports, clock and fw_cfg after random stores, loads and input.

import assert from "node:assert/strict";
import { FwCfg } from "../../../src/machine/devices/fw-cfg.ts";
import { Pl011 } from "../../../src/machine/devices/pl011.ts";
import { Pl031 } from "../../../src/machine/devices/pl031.ts";
import type { SeenRegister } from "../../../src/machine/devices/seen-register.ts";
import { Uart16550 } from "../../../src/machine/devices/uart-16550.ts";
import { Random } from "../../support/random.ts";

interface Device {
  read(offset: number, size: number): bigint;
  write(offset: number, size: number, value: bigint): void;
  seen(offset: number, size: number): SeenRegister | undefined;
  save(): unknown;
}

interface Kind {
  readonly device: Device;
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  /** Input from outside, or time. */
  readonly happens?: (value: number) => void;
}

const words = (count: number) => Array.from({ length: count }, (_, index) => 4 * index);

function kinds(): Readonly<Record<string, Kind>> {
  const pl011 = new Pl011(), uart = new Uart16550();
  let now = 0, ring: (() => void) | undefined;
  const clock = new Pl031({ seconds: () => now, at: (_, action) => ring = action }, 100);
  const items = { cpus: 2, kernel: undefined, initrd: undefined, commandLine: "a", files: new Map() };
  const fwCfg = new FwCfg(items, { read: () => false, write: () => true }, () => {});
  return {
    PL011: { device: pl011, offsets: [...words(20), 0xfe0, 0xffc], sizes: [1, 2, 4, 8], happens: (value) => void pl011.receive([value]) },
    "16550A": { device: uart, offsets: [0, 1, 2, 3, 4, 5, 6, 7], sizes: [1, 4], happens: (value) => void uart.receive([value]) },
    PL031: {
      ...{ device: clock, offsets: [...words(8), 0xfe0], sizes: [1, 2, 4] },
      happens: (value) => value % 3 === 0 ? ring?.() : now += value,
    },
    fw_cfg: { device: fwCfg, offsets: [0, 8, 0x10, 0x14], sizes: [1, 2, 4] },
  };
}

for (const name of Object.keys(kinds())) {
  Deno.test(`${name}: what is seen is what a load gives, and nothing changes`, () => {
    const { device, offsets, sizes, happens } = kinds()[name], random = new Random(7);
    const one = <T>(of: readonly T[]) => of[random.below(of.length)];
    let seenOften = 0;
    for (let step = 0; step < 5000; step++) {
      const offset = one(offsets), size = one(sizes), what = random.below(4);
      if (what === 0) device.write(offset, size, BigInt(random.below(0x1_0000)));
      if (what === 1) happens?.(random.below(256));
      const before = JSON.stringify(device.save()), seen = device.seen(offset, size);
      assert.equal(JSON.stringify(device.save()), before);
      if (what < 2) continue;
      const value = device.read(offset, size);
      if (seen === undefined) continue;
      seenOften++;
      assert.equal(BigInt(seen.value), value, `${offset}/${size}`);
    }
    assert.ok(seenOften > 500, String(seenOften));
  });
}
