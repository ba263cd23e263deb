import assert from "node:assert/strict";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import { buildAccesses } from "../../guests/accesses/accesses.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { planErrors } from "../../support/planned.ts";

const PROGRAM = await buildAccesses();

Deno.test("logs and captures in a folder that a guest may change are refused; in others they are taken", () =>
  inFolder(async (folder) => {
    for (const name of ["shared/deep", "kept"]) Deno.mkdirSync(`${folder}/${name}`, { recursive: true });
    Deno.symlinkSync(`${folder}/shared`, `${folder}/link`);
    await Deno.writeFile(`${folder}/guest.bin`, PROGRAM);
    const errorsOf = async (log: string, capture: string, mode: string) => {
      const result = await planText(
        `el2 = 1
[vm.a]
image = "guest.bin"
memory = "16MiB"
devices = [{ kind = "pl011", log = "${log}" }, { kind = "net", backend = "none", capture = "${capture}" }]
[vm.b]
image = "guest.bin"
memory = "16MiB"
devices = [{ kind = "9p", folder = "shared", tag = "s", mode = "${mode}" }]
`,
        undefined,
        folder,
      );
      return planErrors(result);
    };
    for (const place of ["shared/a", "shared/deep/a", "link/a"]) {
      const errors = await errorsOf(place, `${place}.pcapng`, "rw");
      assert.equal(errors.length, 2, errors.join("\n"));
      for (const error of errors) {
        assert.match(error, /which a guest may change; name a file elsewhere, or share the folder with mode "ro"/);
      }
    }
    assert.deepEqual(await errorsOf("kept/a", "kept/b", "rw"), []);
    assert.deepEqual(await errorsOf("shared/a", "shared/b", "ro"), []);
  }));
