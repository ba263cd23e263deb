// A recording that does not fit on its disk.

import assert from "node:assert/strict";
import { saveRecording } from "../../../src/session/recordings/file/save.ts";
import { OWN_FILES, useFiles } from "../../../src/kit/support/files/files.ts";
import { inFolder } from "../../support/temporary-folder.ts";

Deno.test("a recording whose first line finds no room leaves no file, neither open nor on the disk", async () => {
  await inFolder((folder) => {
    let open = 0;
    useFiles({
      ...OWN_FILES,
      whole(path) {
        const file = OWN_FILES.whole(path);
        open++;
        return {
          writeSync: (bytes) => file.writeSync(bytes),
          write: () => assert.fail("No space left on device"),
          commit: () => file.commit(),
          [Symbol.dispose]() {
            open--;
            file[Symbol.dispose]();
          },
        };
      },
    });
    try {
      const end = {} as Parameters<typeof saveRecording>[4];
      assert.throws(() => saveRecording(`${folder}/a.rec`, "header\n", { inputs: [] }, 0, end), /No space left/);
    } finally {
      useFiles(OWN_FILES);
    }
    assert.equal(open, 0);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});
