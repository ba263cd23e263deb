import assert from "node:assert/strict";
import { basename } from "node:path";
import { Place } from "../../place.ts";

Deno.test("el2 link names the place of a session in its recording, and each command that takes one goes there", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const file = `${place.folder}/a#b.rec`;
  const refused = async (...words: string[]) => {
    const { code, stderr } = await place.el2(...words);
    return [code, stderr];
  };
  assert.deepEqual(await refused("link"), [2, "el2: link: session one: this run is not in a recording; el2 record bug.rec saves it\n"]);
  assert.equal((await place.el2("record", file)).code, 0);
  await place.json("back", "--to", "100000");
  const { stdout: link, stderr } = await place.el2("link", file, "--screen", "rpc", "--filter", "a b"), path = link.trimEnd();
  assert.equal(path, `${file}#to=100000&screen=rpc&filter=a%20b`);
  assert.equal(stderr, `el2: el2 replay '${path}' --tui goes there\n`);
  const linked = JSON.parse((await place.el2("link", file, "--json")).stdout);
  assert.deepEqual(linked, { schema: "el2.link/1", link: `${file}#to=100000`, command: `el2 replay '${file}#to=100000' --tui` });
  assert.deepEqual(await refused("link", place.folder, "--to", "1"), [2, `el2: link: ${place.folder}: is a folder\n`]);
  assert.match(String((await refused("link", "--to", "1"))[1]), /link: --to needs a recording/);

  const replayed = await place.el2("replay", path);
  assert.deepEqual([replayed.code, replayed.stderr], [0, "el2: replayed up to instruction 100000\n"]);
  assert.deepEqual(await refused("replay", `${file}#to=100000`, "--to", "5ms"), [
    2,
    "el2: --to and #to= are mutually exclusive; give one\n",
  ]);
  assert.deepEqual(await refused("replay", `${file}#to=none`), [
    2,
    `el2: ${file} has no marks; use a count of instructions or a virtual time, for example 120000 or 12ms\n`,
  ]);
  const total = async (...words: string[]) => {
    const { stdout, code, stderr } = await place.el2(...words, "--json");
    assert.equal(code, 0, stderr);
    const rows: { insn: string }[] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    return rows.reduce((sum, { insn }) => sum + Number(insn), 0);
  };
  assert.equal(await total("coverage", `${file}#to=100000`), 100_000);
  assert.equal(await total("profile", `${file}#to=50000`, "--limit", "1000000"), 50_000);
  const compared = async (...files: string[]) => (await place.el2("diff", ...files)).stdout;
  assert.equal(await compared(file, `${file}#to=100000`), "the runs are equal: 100000 instructions\n");
  assert.match((await place.el2("diff", `${file}#to=1`, `${file}#to=2`)).stderr, /diff: the links name two places/);
  const traced = await place.el2("trace", "export", `${place.folder}/a.tarmac`, "--recording", `${file}#to=5000`);
  assert.match(traced.stderr, /^el2: 5000 instructions, /, basename(file));
  const picture = `${place.folder}/a.txt`;
  assert.equal((await place.el2("screenshot", picture, "--recording", `${file}#to=2ms&screen=rpc&select=rpc:46&filter=result=ok`)).code, 0);
  const text = await Deno.readTextFile(picture);
  assert.match(text, /Requests to the Resource Manager ─+ \/result=ok/);
  assert.match(text, /▌ rpc:46 /);
});
