// A partition table, as another reader finds it.

import assert from "node:assert/strict";
import { gptEnd, gptStart, gptTables } from "../../../src/kit/formats/gpt.ts";
import { partitionsIn } from "../../support/partx.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** The partitions that partx of util-linux finds, in units of 512 bytes. */
async function found(path: string, sector: number): Promise<string[][]> {
  return (await partitionsIn(path, sector, "NR,START,SIZE,UUID,TYPE,NAME")).map((line) => line.split(" "));
}

/** A name as partx prints it. */
function escaped(name: string): string {
  return [...new TextEncoder().encode(name)].map((byte) => byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`).join("");
}

const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";

for (const sector of [512, 4096]) {
  Deno.test(`util-linux finds all partitions of a table with sectors of ${sector} bytes, by either copy`, () =>
    inFolder(async (folder) => {
      const guid = "656c3200-0001-8000-8000-00000000000a", own = "DEADBEEF-0102-0304-0506-0708090a0b0c", path = `${folder}/disk`;
      const labels = ["boot", "Straße😀", ...Array.from({ length: 126 }, (_, index) => `p${index}`)];
      let end = 24_576;
      const entries = labels.map((label, index) => {
        const offset = end, size = 4096 * (1 + index % 3);
        end += size;
        return { label, guid: own.replace("DEADBEEF", String(10_000_000 + index)), offset, size };
      });
      const size = Math.ceil((end + gptEnd(sector)) / 65_536) * 65_536, tables = gptTables({ guid, sector, size, entries });
      assert.ok(gptStart(sector) === tables.start.length && tables.start.length <= 24_576);
      const expected = entries.map(({ label, guid, offset, size }, index) =>
        [index + 1, offset / 512, size, guid.toLowerCase(), LINUX, escaped(label)].map(String)
      );
      const disk = new Uint8Array(size);
      disk.set(tables.start);
      await Deno.writeFile(path, disk);
      assert.deepEqual(await found(path, sector), expected);
      disk.set(tables.end, size - tables.end.length);
      disk.fill(0, sector, tables.start.length);
      await Deno.writeFile(path, disk);
      assert.deepEqual(await found(path, sector), expected);
    }));
}
