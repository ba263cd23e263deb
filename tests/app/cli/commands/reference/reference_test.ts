import assert from "node:assert/strict";
import { el2 } from "../../program.ts";

Deno.test("commands that became pages of the reference are refused with the page", async () => {
  const cases = [
    ["cpu", "reference cpu"],
    ["cpu show v8", "reference cpu v8"],
    ["theme ls", "reference theme"],
    ["spec hypervisor 4.4", "reference spec hypervisor 4.4"],
    ["ioctl decode 0xB201", "reference ioctl 0xB201"],
    ["vmm demo", "run demo --headless --log run.log,debug"],
  ];
  for (const [typed, use] of cases) {
    const { code, stderr } = await el2(...typed.split(" "));
    assert.deepEqual([code, stderr], [2, `el2: unknown command "${typed.split(" ")[0]}"; use el2 ${use}\n`], typed);
  }
});

Deno.test("a page lists without a word and shows one with it, and refuses forms of the list for one", async () => {
  const list = await el2("reference", "phone", "-o", "tsv", "--columns", "name");
  assert.deepEqual([list.code, list.stdout.split("\n").includes("sm8650")], [0, true]);
  const one = await el2("reference", "phone", "sm8650", "--columns", "name");
  assert.deepEqual(
    [one.code, one.stderr],
    [2, "el2: reference phone: --columns, -o and --watch are for the list; remove sm8650\n"],
  );
  const theme = await el2("reference", "theme", "dark", "--json");
  assert.deepEqual([JSON.parse(theme.stdout).schema, JSON.parse(theme.stdout).name], ["el2.theme/1", "dark"]);
});
