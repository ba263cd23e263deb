// A folder of modules as symbols: which files it has for a VM, and what is said where it has none.

import assert from "node:assert/strict";
import { Failure } from "../../../../../src/app/cli/common/failure.ts";
import { modulesIn } from "../../../../../src/app/cli/start/plans/symbol-folder.ts";
import { SYMBOL_FILES } from "../../../../../src/inside/symbols/elf-symbols.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

async function written(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(path, new Uint8Array(1));
  }
}

Deno.test("a folder has the modules below it, those of debug information last, without links and hidden folders", () =>
  inFolder(async (folder) => {
    await written(folder, ["a/x.ko.debug", "a/x.ko", "b/c/y.ko.xz", "z.ko", "x.o", "vmlinux", "x.komodo", ".git/old.ko"]);
    await Deno.symlink(folder, `${folder}/source`);
    await Deno.symlink(`${folder}/z.ko`, `${folder}/link.ko`);
    assert.deepEqual(modulesIn(folder), ["a/x.ko", "b/c/y.ko.xz", "z.ko", "a/x.ko.debug"].map((name) => `${folder}/${name}`));
  }));

Deno.test("a folder without modules is refused, as is one with more than a machine takes", () =>
  inFolder(async (folder) => {
    const refused = (says: RegExp) =>
      assert.throws(() => modulesIn(folder), (error) => error instanceof Failure && says.test(error.message), String(says));
    await written(folder, ["x.o"]);
    refused(/: no modules in it \(\.ko, \.ko\.debug\); name the folder in which they were built$/);
    await written(folder, Array.from({ length: SYMBOL_FILES + 1 }, (_, index) => `${index}.ko`));
    refused(/: 1025 modules with [^,]+, at most 1024 and 512MiB; name a folder below it$/);
  }));
