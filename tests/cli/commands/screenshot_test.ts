import assert from "node:assert/strict";
import { inFolder } from "../../support/temporary-folder.ts";
import { inProcess } from "../in-process.ts";
import { Place } from "../place.ts";
import { el2, el2Refused } from "../program.ts";

const DEMO = new URL("../../../assets/demo.toml", import.meta.url).pathname;
/** Pixels of a PNG, across and down. */
function sizeOf(file: Uint8Array): readonly number[] {
  const view = new DataView(file.buffer);
  assert.equal(view.getBigUint64(0), 0x89504e470d0a1a0an);
  return [view.getUint32(16), view.getUint32(20)];
}

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
  const png = `${place.folder}/one.png`;
  assert.equal((await place.el2("screenshot", png, "--size", "80x24")).code, 0);
  assert.deepEqual(sizeOf(await Deno.readFile(png)), [80 * 12 + 32, 24 * 24 + 32]);
  // A step that changes the machine is refused in a read-only session.
  const script = `${place.folder}/steps`;
  await Deno.writeTextFile(script, "rpc VM_GET_STATE vmid=3\n");
  const refused = await place.el2("screenshot", svg, "--script", script, "--read-only");
  assert.match(refused.stderr, /read-only/);
  assert.equal(refused.code, 5);
});

Deno.test("screenshot of a recording shows its end, or the state at --to; a new machine begins paused", () =>
  inFolder(async (folder) => {
    const recording = `${folder}/demo.rec`, file = `${folder}/a.txt`;
    assert.equal((await el2("record", recording, "--", DEMO, "--for", "200ms")).code, 0);
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
    const script = `${folder}/steps`;
    await Deno.writeTextFile(script, "until kind=hvc vm=ping\nkeys 5\n");
    assert.match(await of("--run", DEMO, "--script", script), /ping/);
  }));

Deno.test("screenshot refuses what it cannot write or show, and says what would be right", () =>
  inFolder(async (folder) => {
    const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [["picture"], /picture: the name has no known ending; use NAME\.svg, NAME\.png or NAME\.txt/],
      [["a.svg", "--size", "20x5"], /"20x5" is not a size from 60x16 to 400x200/],
      [["a.svg", "--to", "1s"], /--to: only a recording/],
      [["a.svg", "--run", "demo", "--recording", "x"], /--recording and --run are mutually exclusive/],
      [["a.svg", "--recording", `${folder}/none`], /none/],
      [["a.svg", "--run", "demo", "--theme", "nothing"], /no such theme/],
      [["a.svg", "--run", "demo", "--script", `${folder}/none`], /--script .*none: no such file/],
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
