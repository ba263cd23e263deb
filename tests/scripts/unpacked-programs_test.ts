import assert from "node:assert/strict";
import { MULTIARCH, UnpackedPrograms } from "../../scripts/unpacked-programs.ts";

Deno.test("an unpacked program starts with its libraries, also after its folder was moved", async () => {
  const place = await Deno.makeTempDir({ prefix: "el2-test " });
  try {
    const first = new UnpackedPrograms(`${place}/first`, `${place}/apt`);
    await Deno.mkdir(`${first.root}/usr/bin`, { recursive: true });
    await Deno.writeTextFile(`${first.root}/usr/bin/where`, '#!/bin/sh\necho "$0 $LD_LIBRARY_PATH $*"\n', { mode: 0o700 });
    await first.writeStarters(["where", "missing"]);
    assert.deepEqual([...Deno.readDirSync(`${first.folder}/bin`)].map(({ name }) => name), ["where"]);

    const moved = new UnpackedPrograms(`${place}/moved "here"`, `${place}/apt`);
    await Deno.rename(first.folder, moved.folder);
    const { stdout } = await new Deno.Command(await moved.find("where") ?? "", { args: ["a b"], env: { LD_LIBRARY_PATH: "" } }).output();
    const libraries = [`usr/lib/${MULTIARCH}`, `lib/${MULTIARCH}`, "usr/lib"].map((folder) => `${moved.root}/${folder}`);
    assert.equal(new TextDecoder().decode(stdout), `${moved.root}/usr/bin/where ${libraries.join(":")} a b\n`);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
});
