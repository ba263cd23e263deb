// `--ab` measures el2 of either tree, also in benches that run el2 in their own process.

import assert from "node:assert/strict";
import { inFolder } from "../support/temporary-folder.ts";
import { prefer } from "../../bench/machines.ts";
import { historyContest } from "../../bench/history.ts";
import { linuxFigures } from "../../bench/linux.ts";

Deno.test("figures of history and linux are those that the bench of the preferred tree prints", () =>
  inFolder(async (folder) => {
    /** A tree whose bench prints this value. */
    const tree = async (value: number) => {
      const path = `${folder}/${value}`, figures = { "to a place, p50": [value] };
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${path}/deno.json`, JSON.stringify({ tasks: { bench: "deno run --no-config bench.ts" } }));
      const document = JSON.stringify({ figures, milliseconds: figures });
      await Deno.writeTextFile(`${path}/bench.ts`, `if (Deno.args.includes("--json")) console.log(${JSON.stringify(document)});\n`);
      return path;
    };
    const trees = [await tree(1), await tree(2)];
    try {
      for (const contest of [historyContest, linuxFigures]) {
        const measure = await contest(folder), found: unknown[] = [];
        for (const one of trees) {
          prefer(undefined, one);
          found.push((await measure()).get("to a place, p50"));
        }
        assert.deepEqual(found, [1, 2]);
      }
    } finally {
      prefer(undefined);
    }
  }));
