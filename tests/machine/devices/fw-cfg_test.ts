import assert from "node:assert/strict";
import { FwCfg, FwCfgDma, FwCfgKey, FwCfgRegister } from "../../../src/machine/devices/fw-cfg.ts";

const MEMORY = 0x1000, LARGE = 0x1_0000_0000, LARGE_SIZE = 0x28_0000;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function device() {
  const memory = new Uint8Array(MEMORY);
  /** Another piece of memory, where only lengths of what is written are kept. */
  const pieces: number[] = [];
  const later: (() => void)[] = [];
  const inside = (address: number, size: number) => address + size <= MEMORY;
  const cfg = new FwCfg({
    cpus: 3,
    kernel: new TextEncoder().encode("the kernel"),
    initrd: undefined,
    commandLine: "console=ttyAMA0",
    files: new Map([["opt/one", Uint8Array.of(1)], ["opt/two", Uint8Array.of(2, 2)]]),
  }, {
    read: (address, into) => inside(address, into.length) && (into.set(memory.subarray(address, address + into.length)), true),
    write(address, from) {
      if (address >= LARGE && address + from.length <= LARGE + LARGE_SIZE) return pieces.push(from.length) > 0;
      return inside(address, from.length) && (memory.set(from, address), true);
    },
  }, (act) => later.push(act));
  const select = (key: number) => cfg.write(FwCfgRegister.Selector, 2, BigInt(key >> 8 | (key & 0xff) << 8));
  const take = (size: number) => Uint8Array.from({ length: size }, () => Number(cfg.read(FwCfgRegister.Data, 1)));
  /** A transfer with its descriptor at 0; the control word that it leaves. */
  const dma = (control: number, length: number, address: number) => {
    const view = new DataView(memory.buffer);
    view.setUint32(0, control);
    view.setUint32(4, length);
    view.setBigUint64(8, BigInt(address));
    cfg.write(FwCfgRegister.DmaHigh, 4, 0n);
    cfg.write(FwCfgRegister.DmaLow, 4, 0n);
    return view.getUint32(0);
  };
  return { cfg, memory, select, take, dma, later, pieces };
}

Deno.test("items are read byte by byte or wider, in their order, with zeros behind them", () => {
  const { cfg, select, take } = device();
  select(FwCfgKey.Signature);
  assert.equal(text(take(4)), "QEMU");
  assert.equal(cfg.read(FwCfgRegister.Data, 4), 0n);
  select(FwCfgKey.CpuCount);
  assert.equal(cfg.read(FwCfgRegister.Data, 4), 3n);
  select(FwCfgKey.KernelData);
  assert.equal(cfg.read(FwCfgRegister.Data, 8), 0x6e72_656b_2065_6874n, "`the kern`");
  select(FwCfgKey.InitrdSize);
  assert.equal(cfg.read(FwCfgRegister.Data, 4), 0n);
  select(FwCfgKey.CommandLineSize);
  assert.equal(cfg.read(FwCfgRegister.Data, 4), 16n, "with its zero");
});

Deno.test("the directory names files with their sizes and keys", () => {
  const { select, take } = device();
  select(FwCfgKey.Directory);
  const view = new DataView(take(4 + 2 * 64).buffer);
  assert.equal(view.getUint32(0), 2);
  const entry = (
    at: number,
  ) => [view.getUint32(at), view.getUint16(at + 4), text(new Uint8Array(view.buffer, at + 8, 56)).replace(/\0+$/, "")];
  assert.deepEqual([entry(4), entry(68)], [[1, FwCfgKey.FirstFile, "opt/one"], [2, FwCfgKey.FirstFile + 1, "opt/two"]]);
  select(FwCfgKey.FirstFile + 1);
  assert.deepEqual([...take(3)], [2, 2, 0]);
});

Deno.test("DMA selects, skips and reads, and clears the control word", () => {
  const { memory, dma } = device();
  assert.equal(dma(FwCfgKey.KernelData << 16 | FwCfgDma.Select | FwCfgDma.Skip, 4, 0), 0);
  assert.equal(dma(FwCfgDma.Read, 6, 0x100), 0);
  assert.equal(text(memory.subarray(0x100, 0x106)), "kernel");
});

Deno.test("DMA to memory that is not there, and DMA that would write an item, say that they failed", () => {
  const { memory, dma } = device();
  assert.equal(dma(FwCfgKey.KernelData << 16 | FwCfgDma.Select | FwCfgDma.Read, 4, MEMORY), FwCfgDma.Error);
  assert.equal(dma(FwCfgDma.Read, 0xffff_ffff, 0x800), FwCfgDma.Error);
  assert.equal(dma(FwCfgKey.KernelData << 16 | FwCfgDma.Select | FwCfgDma.Write, 4, 0x100), FwCfgDma.Error);
  assert.equal(dma(FwCfgKey.KernelData << 16 | FwCfgDma.Select | FwCfgDma.Read, 3, 0x100), 0);
  assert.equal(text(memory.subarray(0x100, 0x103)), "the");
});

Deno.test("a descriptor that cannot be read changes nothing", () => {
  const { cfg, memory } = device();
  cfg.write(FwCfgRegister.DmaHigh, 8, 0xffff_ffff_ffff_ffffn);
  assert.ok(memory.every((byte) => byte === 0));
  assert.equal(cfg.read(FwCfgRegister.DmaHigh, 8), BigInt("0x" + new TextEncoder().encode("QEMU CFG").toReversed().toHex()));
});

Deno.test("a restored device continues in the middle of an item", () => {
  const first = device();
  first.select(FwCfgKey.KernelData);
  first.take(4);
  const second = device();
  second.cfg.restore(structuredClone(first.cfg.save()));
  assert.equal(text(second.take(6)), "kernel");
});

Deno.test("a long transfer takes turns, also after its state was saved, and the guest sees its end in the control word", () => {
  const whole = device(), control = FwCfgKey.KernelData << 16 | FwCfgDma.Select | FwCfgDma.Read;
  assert.equal(whole.dma(control, LARGE_SIZE, LARGE), control, "not yet");
  const moved = ({ pieces }: typeof whole) => pieces.reduce((sum, size) => sum + size, 0);
  assert.equal(moved(whole), 0x10_0000);
  // Its registers take no other transfer meanwhile.
  assert.equal(whole.dma(FwCfgDma.Read, 4, 0x100), FwCfgDma.Read);
  const state = whole.cfg.save(), copy = device();
  copy.cfg.restore(state);
  assert.deepEqual(copy.cfg.save(), state);
  for (const [each, before] of [[whole, 0x10_0000], [copy, 0]] as const) {
    while (each.later.length) each.later.shift()!();
    assert.equal(moved(each), LARGE_SIZE - 0x10_0000 + before);
    assert.equal(new DataView(each.memory.buffer).getUint32(0), 0);
    assert.equal(each.cfg.save().transfer, undefined);
  }
});

Deno.test("skipping again and again leaves an offset of 32 bits", () => {
  const { cfg, dma } = device();
  for (let count = 0; count < 5; count++) dma(FwCfgDma.Skip, 0xffff_ffff, 0);
  assert.equal(cfg.save().offset, 2 ** 32 - 5);
});
