// A module of a kernel, `poke.ko`, and the same object as the linker places it.

import { native } from "../../session/debug/programs.ts";

export const SOURCE = `__attribute__((section(".modinfo"), used)) static const char name[] = "name=poke";
__attribute__((section(".gnu.linkonce.this_module"), used)) static char this_module[64];
static int count = 3;
long total[4];
__attribute__((noinline)) static long twice(long value) {
  long sum = value * count;
  return sum + total[value & 3];
}
long poke_write(long value) {
  total[1] += twice(value) + count++;
  return total[1];
}
__attribute__((section(".init.text"))) int poke_init(void) {
  return (int) poke_write(count);
}
`;
/** Where the linker has its sections. */
export const TEXT = 0xffff_8000_0100_0000n, DATA = 0xffff_8000_0100_8000n, BSS = 0xffff_8000_0100_9000n, INIT = 0xffff_8000_0200_0000n;

export interface Built {
  readonly module: Uint8Array;
  readonly linked: Uint8Array;
}

export async function built(folder: string, source: string): Promise<Built> {
  const file = (name: string) => `${folder}/${name}`, hex = (address: bigint) => `0x${address.toString(16)}`;
  await Deno.writeTextFile(file("poke.c"), source);
  await native(
    "aarch64-linux-gnu-gcc",
    "-g",
    "-O2",
    "-ffreestanding",
    "-fno-asynchronous-unwind-tables",
    "-fno-pic",
    "-c",
    "-o",
    file("poke.o"),
    file("poke.c"),
  );
  await native("aarch64-linux-gnu-ld", "-r", "--build-id=sha1", "-o", file("poke.ko"), file("poke.o"));
  const starts = [`-Ttext=${hex(TEXT)}`, `-Tdata=${hex(DATA)}`, `-Tbss=${hex(BSS)}`, `--section-start=.init.text=${hex(INIT)}`];
  await native("aarch64-linux-gnu-ld", ...starts, "--build-id=none", "-e", "0", "-o", file("linked.elf"), file("poke.o"));
  return { module: await Deno.readFile(file("poke.ko")), linked: await Deno.readFile(file("linked.elf")) };
}
