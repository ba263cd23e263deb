import assert from "node:assert/strict";
import { Place } from "../../place.ts";

const CONFIGURATION = `el2 = 1
[machine]
memory = "96MiB"
[host]
memory = "64MiB"
[vm.a]
image = "${new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname}"
memory = "4MiB"
`;

Deno.test("input is refused by name for keys that there are not, and for a VM without an input device", async () => {
  await using place = new Place();
  const file = `${place.folder}/a.toml`;
  await Deno.writeTextFile(file, CONFIGURATION);
  await place.up("one", file, "--allow-host", "all");
  const key = await place.el2("input", "key", "a", "nokey");
  assert.equal(key.code, 2);
  assert.match(key.stderr, /"nokey"/);
  const move = await place.el2("input", "move", "a", "50%");
  assert.deepEqual([move.code, /16384,8192/.test(move.stderr)], [2, true]);
  for (
    const words of [["key", "a", "leftctrl+c"], ["text", "a", "ls"], ["move", "a", "1,1"], ["click", "a", "left"], ["wheel", "a", "1"]]
  ) {
    const { code, stderr } = await place.el2("input", ...words);
    assert.deepEqual([code, /^el2: vm:a has no keyboard/.test(stderr)], [1, true], `${words.join(" ")}: ${stderr}`);
  }
});
