// Files of symbols that a configuration names: plain, and packed as distributions have modules.

import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import { symbolsIn } from "../../../src/app/configuration/files.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import { readElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { assertPlanned } from "../../support/planned.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const GUESTS = new URL("../../../assets/guests/", import.meta.url).pathname;

async function xz(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const child = new Deno.Command(await nativeProgram("xz"), { args: ["-c", "--check=crc32"], stdin: "piped", stdout: "piped" }).spawn();
  const [, { stdout }] = await Promise.all([new Blob([bytes.slice()]).stream().pipeTo(child.stdin), child.output()]);
  return stdout;
}

Deno.test("symbols are read from a file that is packed with xz or zstd as from the file itself", () =>
  inFolder(async (folder) => {
    const elf = await Deno.readFile(`${GUESTS}ping.elf`), packed = await xz(elf), plain = await symbolsIn(elf);
    assert.ok(readElfSymbols(plain).some(({ name }) => name === "ball_send"));
    for (const file of [packed, new Uint8Array(zstdCompressSync(elf))]) assert.deepEqual(await symbolsIn(file), plain);
    await assert.rejects(symbolsIn(packed.subarray(0, packed.length / 2)), /the xz data is truncated or damaged/);
    await assert.rejects(symbolsIn(new TextEncoder().encode("no symbols at all")), /not an ELF file/);

    await Deno.writeFile(`${folder}/ping.elf.xz`, packed);
    await Deno.copyFile(`${GUESTS}ping.bin`, `${folder}/ping.bin`);
    const planned = await planText('el2 = 1\n[vm.rt]\nimage = "ping.bin"\nsymbols = "ping.elf.xz"\n', undefined, folder);
    assertPlanned(planned);
    assert.deepEqual(planned.run.symbols, { rt: [plain] });
  }));
