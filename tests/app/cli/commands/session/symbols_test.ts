import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { writeElfSymbols } from "../../../../../src/inside/symbols/elf-symbols.ts";

const HELLO = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;

Deno.test("code and symbols of a VM: an ELF file names the addresses", async () => {
  await using place = new Place();
  const file = `${place.folder}/el2.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[vm.hello]\nimage = "${HELLO}"\nmemory = "4MiB"\n`);
  await place.up("one", file, "--allow-host", "all");
  const elf = `${place.folder}/hello.elf`;
  await Deno.writeFile(elf, writeElfSymbols([{ name: "entry", type: "T", address: 0x8000_0000n }]));
  const none = await place.el2("disasm", "hello:entry");
  assert.equal(none.code, 1);
  assert.match(
    none.stderr,
    /vm:hello has no symbol "entry"; it has none: its kernel has no kallsyms, and no ELF file was given \(--symbols\)/,
  );
  // All clients would see the names.
  const refused = await place.el2("symbols", "hello", "--add", elf, "--read-only");
  assert.deepEqual([refused.code, refused.stderr], [5, "el2: symbols refused: read-only session (--read-only)\n"]);
  assert.deepEqual((await place.json("symbols", "hello", "--read-only")).data, []);
  const added = await place.json("symbols", "hello", "--add", elf);
  assert.deepEqual(added.data.map(({ name, address }) => [name, address]), [["entry", "0x0000000080000000"]]);
  const code = await place.json("disasm", "hello:entry", "--count", "2");
  assert.deepEqual(code.data.map(({ id, symbol }) => [id, symbol]), [["va:hello/0x80000000", "entry"], [
    "va:hello/0x80000004",
    "entry+0x4",
  ]]);
  const empty = `${place.folder}/empty`;
  await Deno.writeFile(empty, new Uint8Array(0));
  const bad = await place.el2("symbols", "hello", "--add", empty);
  assert.deepEqual([bad.code, bad.stderr], [2, `el2: symbols ${empty}: not an ELF file, or truncated in its header\n`]);
});
