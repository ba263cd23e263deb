import assert from "node:assert/strict";
import { CastFile } from "../../../src/cli/start/cast-file.ts";
import { CastTerminal } from "../../../src/cli/start/cast-terminal.ts";
import type { TerminalPort } from "../../../src/tui/terminal/terminal.ts";

Deno.test("a recorded terminal gets every byte; the cast gets output in order, characters whole, and new sizes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" }), path = `${folder}/a.cast`;
  const written: Uint8Array[] = [];
  let resize = () => {};
  let columns = 80;
  const port: TerminalPort = {
    size: () => ({ columns, rows: 24 }),
    input: (async function* () {})(),
    write: (bytes) => Promise.resolve(void written.push(bytes)),
    setRaw() {},
    onResize(callback) {
      resize = callback;
      return () => {};
    },
  };
  const cast = new CastFile(path, { columns: 80, rows: 24, title: "t", began: 17 });
  const terminal = new CastTerminal(port, cast);
  let resized = 0;
  terminal.onResize(() => resized++);
  const bytes = new TextEncoder().encode("a│b\x1b[1m");
  await terminal.write(bytes.subarray(0, 2));
  await terminal.write(bytes.subarray(2));
  columns = 100;
  resize();
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound, "it has its name once it is whole");
  cast.commit();
  assert.deepEqual(written.map((part) => part.length), [2, bytes.length - 2]);
  assert.equal(resized, 1);
  const [header, ...events] = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(header, { version: 2, width: 80, height: 24, timestamp: 17, title: "t", env: { TERM: "xterm-256color" } });
  assert.deepEqual(events.map(([, kind, data]: [number, string, string]) => [kind, data]), [["o", "a"], ["o", "│b\x1b[1m"], [
    "r",
    "100x24",
  ]]);
  assert.ok(events.every(([time]: [number], at: number) => at === 0 || time >= events[at - 1][0]));
  await Deno.remove(folder, { recursive: true });
});
