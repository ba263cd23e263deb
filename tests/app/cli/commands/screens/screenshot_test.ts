import assert from "node:assert/strict";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { inProcess } from "../../in-process.ts";
import { Place } from "../../place.ts";
import { el2, el2Refused } from "../../program.ts";

const DEMO = new URL("../../../../../assets/demo.toml", import.meta.url).pathname;

/** A command that starts its machine in a worker of this process. */
const here = (...args: string[]) => inProcess(args, { NO_COLOR: "1" });

Deno.test("screenshot shows a session in its size and theme, and changes nothing there", async () => {
  await using place = new Place();
  await place.up("one");
  await place.el2("pause");
  const { at } = await place.json("vm", "ls");
  const file = `${place.folder}/one.txt`;
  const taken = await place.el2("screenshot", file, "--size", "80x24", "--keys", "3");
  assert.equal(taken.code, 0, taken.stderr);
  assert.match(taken.stderr, /one\.txt: 80x24 of one/);
  const lines = (await Deno.readTextFile(file)).split("\n").slice(0, -1);
  assert.equal(lines.length, 24);
  assert.match(lines[0], /one/);
  assert.ok(lines.every((line) => [...line].length <= 80));
  assert.match(lines.join("\n"), /hello.*PAUSED|PAUSED[^]*hello/);
  assert.deepEqual((await place.json("vm", "ls")).at, at);
  const svg = `${place.folder}/one.svg`;
  assert.equal((await place.el2("screenshot", svg, "--theme", "light")).code, 0);
  assert.match(await Deno.readTextFile(svg), /^<svg [^]*el2: one[^]*hello[^]*<\/svg>\n$/);
});

Deno.test("screenshot of a recording shows its end, or the state at --to; a new machine begins paused", () =>
  inFolder(async (folder) => {
    const recording = `${folder}/demo.rec`, file = `${folder}/a.txt`;
    assert.equal((await el2("run", "--record", recording, DEMO, "--for", "200ms")).code, 0);
    const of = async (...options: string[]) => {
      const { code, stderr } = await here("screenshot", file, ...options);
      assert.equal(code, 0, stderr);
      return await Deno.readTextFile(file);
    };
    const end = await of("--recording", recording), earlier = await of("--recording", recording, "--to", "20ms");
    assert.match(end, /replay demo\.rec.*ENDED/);
    assert.match(end, /0:00\.200|00\.2|200/);
    assert.notEqual(earlier, end);
    assert.match(await of("--run", DEMO), /demo\.toml.*PAUSED/);
  }));

Deno.test("screenshot refuses what it cannot write or show, and says what would be right", () =>
  inFolder(async (folder) => {
    const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [["picture"], /picture: the name has no known ending; use NAME\.svg or NAME\.txt/],
      [["a.svg", "--size", "20x5"], /"20x5" is not a size from 60x16 to 400x200/],
      [["a.svg", "--to", "1s"], /--to: only a recording/],
      [["a.svg", "--run", "demo", "--recording", "x"], /--recording and --run are mutually exclusive/],
      [["a.svg", "--recording", `${folder}/none`], /none/],
      [["a.svg", "--run", "demo", "--theme", "nothing"], /no such theme/],
    ];
    for (const [args, message] of cases) {
      const outcome = await el2Refused(["screenshot", ...args]);
      assert.match(outcome.stderr, message);
      assert.equal(outcome.code, 2, args.join(" "));
    }
    const nowhere = await here("screenshot", `${folder}/none/a.svg`, "--run", "demo");
    assert.deepEqual([nowhere.code, nowhere.stdout], [2, ""]);
    assert.match(nowhere.stderr, /a\.svg: no such folder/);
  }));

Deno.test("screenshot does not follow the user's own settings: theme, characters and columns are the defaults", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/el2`);
    await Deno.writeTextFile(
      `${folder}/el2/ui.toml`,
      '[ui]\ntheme = "light"\nascii = true\nkeys = { "screen.vcpus" = "F5" }\ncolumns = { "vcpu.ls" = ["id"] }\n',
    );
    const recording = `${folder}/demo.rec`;
    assert.equal((await el2("run", "--record", recording, DEMO, "--for", "100ms")).code, 0);
    const file = `${folder}/a.svg`;
    const { code, stderr } = await inProcess(["screenshot", file, "--recording", recording, "--keys", "2"], { XDG_CONFIG_HOME: folder });
    assert.equal(code, 0, stderr);
    const picture = await Deno.readTextFile(file);
    assert.match(picture, /height="100%" [^>]*fill="#0f131b"/, "the dark theme");
    assert.match(picture, />State</);
  }));
