import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("diagnose gives a verdict on each VM, and ends with 1 where one is unhealthy", async () => {
  await using place = new Place();
  await place.up("one");
  const healthy = await place.el2("diagnose");
  assert.equal(healthy.code, 0, healthy.stdout + healthy.stderr);
  assert.match(healthy.stdout, /^vm:hello (waits|runs|starts): /m);
  for (const none of ["nobody", "nobody|id=vm:hello", "h..z"]) {
    const { code, stdout, stderr } = await place.el2("diagnose", none);
    assert.deepEqual([code, stdout, stderr.startsWith(`el2: no VM called "${none}"`)], [1, "", true], stderr);
  }
  await Deno.writeFile(`${place.folder}/spin.bin`, new Uint8Array(Uint32Array.of(0xd503201f, 0x17ffffff).buffer));
  const file = `${place.folder}/spin.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[vm.x]\nimage = "spin.bin"\nmemory = "4MiB"\n`);
  await place.up("two", file);
  const broken = await place.el2("diagnose", "x", "--session", "two");
  assert.equal(broken.code, 1, broken.stdout + broken.stderr);
  assert.match(broken.stdout, /^vm:x spins: vcpu:x\/0 loops at [^]*\n {2}next: el2 disasm x\/0:pc\n$/);
});
