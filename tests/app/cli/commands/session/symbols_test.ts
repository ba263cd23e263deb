import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { built, SOURCE } from "../../../../inside/symbols/built-module.ts";
import { native } from "../../../../session/debug/programs.ts";
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

Deno.test("modules of a folder are added: a stop at a line waits for the one that has it, and what cannot be read is reported", async () => {
  await using place = new Place();
  const config = `${place.folder}/el2.toml`, tree = `${place.folder}/tree`;
  await Deno.writeTextFile(config, `el2 = 1\n[vm.hello]\nimage = "${HELLO}"\nmemory = "4MiB"\n`);
  await Deno.mkdir(`${tree}/debug`, { recursive: true });
  const { module } = await built(place.folder, SOURCE), ko = `${tree}/poke.ko`;
  await Deno.writeFile(ko, module);
  await native("aarch64-linux-gnu-objcopy", "--only-keep-debug", ko, `${tree}/debug/poke.ko.debug`);
  await native("aarch64-linux-gnu-objcopy", "--strip-debug", ko);
  await Deno.writeFile(`${tree}/torn.ko`, module.subarray(0, 100));
  await place.up("one", config, "--allow-host", "all");
  const added = await place.el2("symbols", "hello", "--add", tree);
  assert.deepEqual([added.code, /left out: symbols \S+\/torn\.ko: /.test(added.stderr)], [0, true], added.stderr);
  const line = SOURCE.split("\n").findIndex((text) => text.includes("value * count")) + 1;
  assert.equal((await place.el2("break", "--at", `hello:poke.c:${line}`)).code, 0);
  const { data: [stop] } = await place.json("break");
  assert.match(String(stop.place), /^waits for module poke$/);
  await Deno.remove(tree, { recursive: true });
  await Deno.mkdir(tree);
  const none = await place.el2("symbols", "hello", "--add", tree);
  assert.deepEqual([none.code, /: no modules in it/.test(none.stderr)], [2, true], none.stderr);
});
