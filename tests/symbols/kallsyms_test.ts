// Kernels' own symbol tables: made here in each layout, and those of Debian's kernels in the memory
// of a guest that boots.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import { catalogEntry } from "../../src/catalog/catalog.ts";
import type { GuestSystem } from "../../src/assembly/guest-system.ts";
import { readKallsyms } from "../../src/symbols/kallsyms.ts";
import type { GuestSymbol } from "../../src/symbols/symbol-table.ts";

const LONG = Deno.env.get("EL2_LONG");
const BASE = 0xffff_8000_8000_0000n;
const CODE = BASE + 0x1_0000n;

/**
 * The layouts of tables: as until 6.1.0, with the table by name of 6.1 to 6.3, since 6.4, and with
 * offsets from their own places.
 */
type Layout = "oldest" | "by-name" | "behind" | "self-relative";

/** Symbols in the order of addresses: `_stext`, some hundred others, and a long name. */
function exampleSymbols(): GuestSymbol[] {
  const symbols: GuestSymbol[] = [{ name: "_stext", type: "T", address: CODE }];
  for (let index = 0; index < 2600; index++) {
    symbols.push({ name: `function_${index}`, type: index % 3 ? "t" : "T", address: CODE + BigInt(16 * index) });
  }
  return [...symbols, { name: "long_".repeat(40), type: "D", address: CODE + 0x2_0000n }];
}

/**
 * A kernel's image with the tables of these symbols; a token is one character, but for one of
 * several.
 */
function kernelImage(symbols: readonly GuestSymbol[], layout: Layout): Uint8Array {
  const bytes = new Uint8Array(0x8_0000), view = new DataView(bytes.buffer);
  let at = 0x2_0000;
  const align = () => at = at + 7 & ~7;
  const offset = ({ address }: GuestSymbol) => Number(address - BASE);
  const based = () => {
    for (const symbol of symbols) view.setUint32((at += 4) - 4, offset(symbol), true);
    align();
    view.setBigUint64(at, BASE, true);
    at += 8;
  };
  const early = layout === "oldest" || layout === "by-name";
  if (early) based();
  view.setUint32(at, symbols.length, true);
  at += 8;
  const names = at, markers: number[] = [];
  symbols.forEach(({ name, type }, index) => {
    if (index % 256 === 0) markers.push(at - names);
    const text = `${type}${name}`.replaceAll("function", "\x01");
    if (text.length >= 0x80) bytes[at++] = 0x80 | text.length & 0x7f;
    bytes[at++] = text.length >= 0x80 ? text.length >> 7 : text.length;
    for (const character of text) bytes[at++] = character.charCodeAt(0);
  });
  align();
  for (const marker of markers) view.setUint32((at += 4) - 4, marker, true);
  if (layout === "by-name") {
    for (let index = 0; index < symbols.length; index++) {
      bytes.set([0, index >> 8, index & 0xff], (at += 3) - 3);
    }
  }
  align();
  const tokens = at, index: number[] = [];
  for (let token = 0; token < 256; token++) {
    index.push(at - tokens);
    const text = token === 1 ? "function" : token >= 0x20 && token < 0x7f ? String.fromCharCode(token) : "";
    for (const character of text) bytes[at++] = character.charCodeAt(0);
    at++;
  }
  align();
  for (const one of index) view.setUint16((at += 2) - 2, one, true);
  align();
  if (layout === "behind") based();
  if (layout === "self-relative") { for (const symbol of symbols) view.setInt32((at += 4) - 4, offset(symbol) - at + 4, true); }
  return bytes;
}

for (const layout of ["oldest", "by-name", "behind", "self-relative"] as const) {
  Deno.test(`a kernel's symbols are read in layout "${layout}"`, () => {
    const symbols = exampleSymbols();
    assert.deepEqual(readKallsyms({ base: BASE, bytes: kernelImage(symbols, layout) }), symbols);
  });
}

Deno.test("memory without a kernel, or with a table that is cut, has no symbols", () => {
  assert.equal(readKallsyms({ base: BASE, bytes: new Uint8Array(0x1_0000) }), undefined);
  assert.equal(
    readKallsyms({ base: BASE, bytes: new TextEncoder().encode("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0") }),
    undefined,
  );
  const whole = kernelImage(exampleSymbols(), "behind");
  for (let end = 0x2_0000; end < 0x3_0000; end += 997) {
    const found = readKallsyms({ base: BASE, bytes: whole.subarray(0, end) });
    // A truncated table of numbers after the offsets does not matter; everything else is needed.
    assert.ok(found === undefined || found.length === 2602, `cut at 0x${end.toString(16)}`);
  }
});

const MIB = 1 << 20;

/** A Debian kernel as the primary VM, up to virtual time `end` (ns). */
async function booted(release: string, end: number): Promise<GuestSystem> {
  const { folder } = await catalogEntry(`debian-${release}`);
  const system = assemble({
    cpus: 1,
    memory: 512 * MIB,
    turbo: true,
    seed: 1,
    what: {
      kind: "boot",
      image: await Deno.readFile(`${folder}/Image`),
      initrd: await Deno.readFile(`${folder}/initrd`),
      dtb: undefined,
      append: "console=ttyAMA0",
    },
  });
  runTo(system, end);
  return system;
}

function runTo({ machine }: GuestSystem, end: number): void {
  while (machine.time < end) {
    const result = machine.run(end, 1000);
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, end));
    else if (result.kind === "stopped") return;
  }
}

Deno.test("a Debian kernel that boots is found in its memory, names PCs in lists, and its vectors are where VBAR_EL1 says", async () => {
  const system = await booted("bookworm", 60e6);
  // Lists show names before anybody has asked for symbols or opened a stack.
  const began = performance.now();
  const [{ pc, symbol }] = system.inspector.answer({ table: "vcpu.ls", args: {} }).rows;
  assert.match(String(symbol), /^[a-z_]\w+(\.\w+)*\+0x[0-9a-f]+$/, `${pc} after ${performance.now() - began} ms`);
  const [vcpu] = system.symbols.vcpus("host");
  const [kernel] = system.symbols.all("host");
  assert.ok(kernel, "no symbols");
  assert.equal(kernel.find("vectors")?.address, vcpu.registers.getRegister("VBAR_EL1"));
  assert.ok(kernel.symbols.length > 40_000);
  const { error, rows } = system.inspector.answer({ table: "code", args: { at: "host:cpu_do_idle", size: 5 } });
  assert.equal(error, undefined);
  assert.ok(rows.some(({ text, symbol }) => text === "ret" && String(symbol).startsWith("cpu_do_idle+0x")), JSON.stringify(rows));
  const stack = system.inspector.answer({ table: "vcpu.stack", args: { vcpu: "host/0" } });
  assert.ok(stack.rows.some(({ symbol }) => String(symbol).startsWith("start_kernel+0x")), JSON.stringify(stack.rows));
});

if (LONG) {
  for (const release of ["bookworm", "trixie", "sid"]) {
    Deno.test(`every symbol of Debian ${release} is what its own /proc/kallsyms says`, async () => {
      const system = await booted(release, 1e9);
      const type = (text: string) => system.consoles.type("host", new TextEncoder().encode(`${text}\n`));
      let shown = "";
      const take = () => shown += system.consoles.take().map(({ bytes }) => new TextDecoder("latin1").decode(bytes)).join("");
      for (let end = 1e9; !shown.includes("EL2-READY") && end < 60e9; end += 1e9) {
        runTo(system, end);
        take();
      }
      type("echo 0 > /proc/sys/kernel/kptr_restrict; grep -v '\\[' /proc/kallsyms | md5sum; echo ALL-$((40 + 2))");
      for (let end = system.machine.time + 1e9; !shown.includes("ALL-42") && end < 600e9; end += 1e9) {
        runTo(system, end);
        take();
      }
      const [kernel] = system.symbols.all("host");
      const lines = kernel.symbols.map(({ name, address, type }) => `${address.toString(16).padStart(16, "0")} ${type} ${name}\n`);
      const { createHash } = await import("node:crypto");
      const ours = createHash("md5").update(lines.join("")).digest("hex");
      assert.match(shown, new RegExp(`^${ours} `, "m"), shown.slice(-400));
    });
  }
}
