// docs/scale.md: its columns follow from the CPU time of each scenario, and that time is what a run
// takes.

import assert from "node:assert/strict";
import { el2Command } from "../support/el2.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** How much longer a run may take than the page says, on another computer. */
const SLACK = 2;

/** The rows of the page: the scenario, its CPU time (s), and what a core and a thousand do. */
const ROWS = Array.from(
  Deno.readTextFileSync(`${ROOT}docs/scale.md`).matchAll(
    /^\| `(\S+)`: [^|]*\| ([\d.]+) s +\| \d+ MB +\| ([\d,]+) +\| ([\d.]+) million +\|$/gm,
  ),
  ([, file, seconds, hour, millions]) => ({
    file,
    seconds: Number(seconds),
    hour: Number(hour.replace(",", "")),
    millions: Number(millions),
  }),
);

Deno.test("what one core and a thousand do in an hour follows from the CPU time of each scenario", () => {
  assert.equal(ROWS.length, 3);
  for (const { file, seconds, hour, millions } of ROWS) {
    assert.equal(hour, Number((3600 / seconds).toPrecision(2)), file);
    assert.equal(millions, hour * 1000 / 1e6, file);
    assert.ok(Deno.statSync(ROOT + file).isFile);
  }
});

Deno.test("a scenario takes the CPU time that docs/scale.md says", async () => {
  const { file, seconds } = ROWS[0];
  // The smallest of three: other work on the computer only adds.
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    const args = ["-c", '"$@" > /dev/null && times', "sh", ...el2Command("test", ROOT + file)];
    const { code, stdout } = await new Deno.Command("sh", { args, cwd: ROOT, stdin: "null" }).output();
    assert.equal(code, 0);
    const [, user, system] = /\n(\d+m[\d.]+)s (\d+m[\d.]+)s/.exec(new TextDecoder().decode(stdout))!;
    const spent = [user, system].map((time) => time.split("m").map(Number)).reduce((sum, [minutes, rest]) => sum + 60 * minutes + rest, 0);
    times.push(spent);
    if (spent < SLACK * seconds) return;
  }
  assert.fail(`${file}: ${times} s`);
});
