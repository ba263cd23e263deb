// The engine's id: what decides a run changes it, and nothing else does.

import assert from "node:assert/strict";
import { ENGINE } from "../../src/kit/support/files/maker.ts";
import { inFolder } from "../support/temporary-folder.ts";

const CHECKOUT = new URL("../../", import.meta.url);

/** Places below src/ that decide no run, with the reason; parts of them may be in `ENGINE`. */
const OTHERS: Readonly<Record<string, string>> = {
  "app/catalog": "the plan has the guests that it finds",
  "app/cli": "commands",
  "app/explain": "reads logs",
  "app/jobs": "jobs of commands",
  "app/library": "machines of other programs",
  "app/replays": "reads what a recording has; the run follows from the plan",
  "app/scenarios": "what a scenario enters is in its recording",
  "app/tui": "screens",
  "app/web": "pages of browsers",
  "inside/dumps": "reads files of memory",
  "inside/expressions": "evaluates expressions about memory",
  "inside/linux": "reads memory",
  "inside/symbols": "names addresses",
  "kit/support/computer": "this computer",
  "kit/support/files": "files of this computer",
  "kit/support/text": "words",
  "kit/support/node-modules.ts": "modules of the runtime",
  "kit/support/problem.ts": "errors for users",
  "kit/support/program-identity.ts": "digests of the program",
  "kit/support/system-error.ts": "errors of this computer",
  "kit/support/version.ts": "versions of one engine give the same run",
  "kit/support/warn.ts": "words",
  "model/commands": "commands; an action is recorded",
  "model/protocol": "messages to clients",
  "model/queries": "answers; but for the rules of faults",
  "session/batch": "repeats runs",
  "session/control": "clients",
  "session/debug": "debuggers, whose actions are recorded",
  "session/export": "files for other programs",
  "session/inspection": "answers; but for the rules that act",
  "session/worker": "threads and rights",
};

/** Paths of all sources below src/. */
function sources(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(`${folder}/${below}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? sources(folder, `${below}${name}/`) : name.endsWith(".ts") ? [below + name] : []
  );
}

const isBelow = (path: string, places: readonly string[]) => places.some((place) => path === place || path.startsWith(`${place}/`));

Deno.test("each source decides a run, or is listed with a reason why it does not", () => {
  const all = sources(new URL("src", CHECKOUT).pathname), others = Object.keys(OTHERS);
  assert.deepEqual(all.filter((path) => !isBelow(path, ENGINE) && !isBelow(path, others)), []);
  for (const place of [...ENGINE, ...others]) assert.ok(all.some((path) => isBelow(path, [place])), `${place} has no source`);
});

/** Outside of src/. */
const OUTSIDE = [...["tests", "scripts", "bench", "docs", "assets"].map((folder) => `${folder}/plant.ts`), "deno.json"];

Deno.test("a change in each place that decides a run changes the engine's id, and one in each other place does not", () =>
  inFolder(async (folder) => {
    const checkout = `${folder}/checkout`, all = sources(new URL("src", CHECKOUT).pathname);
    for (const path of [...all.map((one) => `src/${one}`), "deno.json", "import-map.json"]) {
      await Deno.mkdir(`${checkout}/${path.slice(0, path.lastIndexOf("/") + 1)}`, { recursive: true });
      await Deno.copyFile(new URL(path, CHECKOUT), `${checkout}/${path}`);
    }
    const { engineIn } = await import(
      `file://${checkout}/src/kit/support/files/maker.ts`
    ) as typeof import("../../src/kit/support/files/maker.ts");
    const before = engineIn(ENGINE), ids = new Set([before]);
    /** The id while a file has one more line. */
    const planted = async (path: string) => {
      const file = `${checkout}/${path}`, text = await Deno.readTextFile(file).catch(() => undefined);
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, `${text ?? ""}\n// A change.\n`);
      const id = engineIn(ENGINE);
      if (text === undefined) await Deno.remove(file);
      else await Deno.writeTextFile(file, text);
      return id;
    };
    const one = (place: string, isWanted = (_path: string) => true) => all.find((path) => isBelow(path, [place]) && isWanted(path))!;
    for (const place of ENGINE) ids.add(await planted(`src/${one(place)}`));
    assert.equal(ids.size, ENGINE.length + 1, "each change has an id");
    const others = Object.keys(OTHERS).map((place) => `src/${one(place, (path) => !isBelow(path, ENGINE))}`);
    for (const path of [...others, ...OUTSIDE]) assert.equal(await planted(path), before, path);
    assert.ok(ENGINE.length >= 20 && others.length >= 20);
  }));
