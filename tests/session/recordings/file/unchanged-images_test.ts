// A failed run names the failed runs before it that started from the same images.

import assert from "node:assert/strict";
import { unchangedImages } from "../../../../src/session/recordings/file/unchanged-images.ts";
import { recordingHeader, RecordingWriter } from "../../../../src/session/recordings/file/recording-writer.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { demoPlan } from "../../snapshots/systems.ts";
import { el2 } from "../../../app/cli/program.ts";

const STALE = new URL("../../../../examples/mysteries/34-stale-image/el2.toml", import.meta.url).pathname;
const SAYS = /^el2: the images are unchanged since (\S+), (\d+) failed runs? ago$/m;

Deno.test("a run that fails with the image of the failed runs before it says so, and one with another image does not", () =>
  inFolder(async (folder) => {
    const run = async (...more: string[]) => {
      const { code, stderr } = await el2("run", STALE, "--headless", "--turbo", "--recordings", folder, ...more);
      assert.equal(code, 1, stderr);
      return {
        says: SAYS.exec(stderr)?.slice(1),
        path: /el2 replay (\S+) --tui shows it, and goes back in it(?:: .*)?$/m.exec(stderr)![1],
      };
    };
    const first = await run(), second = await run("--set", "machine.seed=2"), third = await run();
    assert.deepEqual([first.says, second.says, third.says], [undefined, [first.path, "1"], [first.path, "2"]]);

    // The image that was built, which does not fail by itself.
    const other = ["--set", "vm.shim.image=built.bin", "--inject", "rpc msg=MEM_LEND nth=1 -> NOMEM"];
    const fixed = await run(...other), again = await run(...other);
    assert.deepEqual([fixed.says, again.says], [undefined, [fixed.path, "1"]]);
  }));

Deno.test("recordings of other runs, and files that are not recordings, are not compared", () =>
  inFolder(async (folder) => {
    const header = await recordingHeader(await demoPlan()), at = (second: number) => `2026-01-01T00-00-0${second}-000Z.rec`;
    const write = (name: string) => new RecordingWriter(`${folder}/${name}`, header);
    write(`a-${at(1)}`), write(`b-${at(1)}`), write("a.rec"), write(`a-${at(9)}`), write(`a-${at(5)}`);
    const found = { since: `${folder}/a-${at(1)}`, runs: 1 };
    assert.deepEqual(unchangedImages(`${folder}/a-${at(5)}`), found);
    assert.equal(unchangedImages(`${folder}/b-${at(1)}`), undefined);
    for (const text of ["", "no recording\n", header.slice(0, 99), '{"schema":"el2.recording/2","plan":5}\n']) {
      Deno.writeTextFileSync(`${folder}/a-${at(4)}`, text);
      assert.equal(unchangedImages(`${folder}/a-${at(5)}`), undefined, text);
      assert.equal(unchangedImages(`${folder}/a-${at(4)}`), undefined, text);
    }
    assert.equal(unchangedImages(`${folder}/none/a-${at(5)}`), undefined);
  }));
