// A Linux that QEMU runs, which el2 does not see before its memory is in a file.

import assert from "node:assert/strict";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import { HEADER_SIZE, PT_LOAD, SEGMENT_SIZE } from "../../../src/inside/dumps/elf-core.ts";
import { KiB, MiB } from "../../../src/kit/support/values/sizes.ts";
import { eventually } from "../../support/eventually.ts";

/** The first address of RAM of QEMU's board. */
export const QEMU_RAM = 0x4000_0000;

/** Bytes of its memory. */
export const QEMU_MEMORY = 512 * MiB;

const MACHINE = [
  ...["-M", "virt,gic-version=3", "-cpu", "max", "-smp", "2", "-m", `${QEMU_MEMORY}B`, "-device", "vmcoreinfo"],
  ...["-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio", "-append", "console=ttyAMA0"],
];

export class Qemu implements AsyncDisposable {
  #shown = "";
  readonly #typed: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reads: Promise<void>;

  private constructor(readonly process: Deno.ChildProcess, readonly socket: string) {
    this.#typed = process.stdin.getWriter();
    this.#reads = this.#read();
  }

  /** @param folder for its socket */
  static async started(kernel: string, initrd: string, folder: string): Promise<Qemu> {
    const socket = `${folder}/qmp`, files = ["-kernel", kernel, "-initrd", initrd];
    const args = [...MACHINE, ...files, "-qmp", `unix:${socket},server=on,wait=off`];
    return new Qemu(
      new Deno.Command(await nativeProgram("qemu-system-aarch64"), { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn(),
      socket,
    );
  }

  async #read(): Promise<void> {
    for await (const bytes of this.process.stdout) this.#shown += new TextDecoder("latin1").decode(bytes);
  }

  /** All that its console has shown. */
  get shown(): string {
    return this.#shown;
  }

  async until(pattern: RegExp): Promise<void> {
    await eventually(() => Promise.resolve(this.#shown), (shown) => pattern.test(shown));
  }

  async type(text: string): Promise<void> {
    await this.#typed.write(new TextEncoder().encode(text));
  }

  /** Stops its CPUs; then it does commands of QEMU's protocol. */
  async stopped(commands: readonly (readonly [name: string, given: Readonly<Record<string, unknown>>])[]): Promise<void> {
    using qmp = new Qmp(await Deno.connect({ transport: "unix", path: this.socket }));
    for (const [name, given] of [["qmp_capabilities", {}], ["stop", {}], ...commands] as const) await qmp.command(name, given);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#typed.close().catch(() => {});
    await this.#reads;
    await this.process.status;
  }
}

/** QEMU's protocol of commands: one at a time. */
class Qmp implements Disposable {
  readonly #buffer = new Uint8Array(1 << 16);
  #text = "";

  constructor(readonly connection: Deno.Conn) {}

  async #line(): Promise<Record<string, unknown>> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line);
      }
      const count = await this.connection.read(this.#buffer);
      assert.ok(count !== null, "QEMU has ended");
      this.#text += new TextDecoder().decode(this.#buffer.subarray(0, count));
    }
  }

  async command(execute: string, given: Readonly<Record<string, unknown>>): Promise<void> {
    await this.connection.write(new TextEncoder().encode(`${JSON.stringify({ execute, arguments: given })}\n`));
    for (let answer = await this.#line();; answer = await this.#line()) {
      assert.equal(answer.error, undefined);
      if ("return" in answer) return;
    }
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

/** Dumps of it in each form that QEMU writes: their paths. */
export async function dumpsOf(
  qemu: Qemu,
  folder: string,
): Promise<{ readonly core: string; readonly kdump: string; readonly raw: string }> {
  const files = { core: `${folder}/core`, kdump: `${folder}/kdump`, raw: `${folder}/raw` };
  await qemu.stopped([
    ["dump-guest-memory", { paging: false, protocol: `file:${files.core}` }],
    ["dump-guest-memory", { paging: false, protocol: `file:${files.kdump}`, format: "kdump-zlib" }],
    ["pmemsave", { val: QEMU_RAM, size: QEMU_MEMORY, filename: files.raw }],
  ]);
  return files;
}

/** Bytes of a core file that have its headers and notes, and of RAM that have a kernel. */
const HEADERS = 64 * KiB, IMAGE = BigInt(64 * MiB);
/** Where an image begins in memory. */
const ALIGNMENT = 0x1_0000n;

/**
 * Gives QEMU's core file the virtual addresses of the kernel's image and of its map of all memory,
 * which kdump's have: drgn finds the kernel's tables by them.
 */
export async function withAddresses(core: string): Promise<void> {
  using file = await Deno.open(core, { read: true, write: true });
  const bytes = new Uint8Array(HEADERS), view = new DataView(bytes.buffer);
  await file.read(bytes);
  const info = new TextDecoder("latin1").decode(bytes);
  const told = (pattern: RegExp) => BigInt(pattern.exec(info)?.[1] ?? assert.fail(`${core}: ${pattern}`));
  const offset = told(/kimage_voffset\)=(0x[0-9a-f]+)/), first = told(/PHYS_OFFSET\)=(0x[0-9a-f]+)/);
  const map = -(1n << told(/VA_BITS\)=(\d+)/)), code = BigInt(`0x${/SYMBOL\(_stext\)=([0-9a-f]+)/.exec(info)?.[1]}`);
  const image = BigInt.asUintN(64, code - code % ALIGNMENT - offset),
    count = view.getUint16(56, true),
    headers = Number(view.getBigUint64(32, true));
  const table = new Uint8Array(SEGMENT_SIZE * (count + 1)), segments = new DataView(table.buffer);
  table.set(bytes.subarray(headers, headers + SEGMENT_SIZE * count));
  for (let at = 0; at < SEGMENT_SIZE * count; at += SEGMENT_SIZE) {
    const [place, , address, size] = [8, 16, 24, 32].map((field) => segments.getBigUint64(at + field, true));
    if (segments.getUint32(at, true) !== PT_LOAD) continue;
    segments.setBigUint64(at + 16, BigInt.asUintN(64, address - first + map), true);
    if (image < address || image >= address + size) continue;
    segments.setUint32(SEGMENT_SIZE * count, PT_LOAD, true);
    [place + image - address, image + offset, image, IMAGE, IMAGE].forEach((value, index) =>
      segments.setBigUint64(SEGMENT_SIZE * count + 8 * (index + 1), BigInt.asUintN(64, value), true)
    );
  }
  view.setBigUint64(32, BigInt(await file.seek(0, Deno.SeekMode.End)), true);
  view.setUint16(56, count + 1, true);
  await file.write(table);
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(bytes.subarray(0, HEADER_SIZE));
}
