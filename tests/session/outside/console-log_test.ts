import assert from "node:assert/strict";
import fc from "fast-check";
import { ConsoleLog } from "../../../src/session/outside/console-log.ts";
import { lstatIfThere } from "../../../src/kit/support/files/own-files.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { ConsoleRing } from "../../../src/session/control/console-ring.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = new TextDecoder();

Deno.test("a log that is full becomes .1, that .2, and no more are kept", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const log = new ConsoleLog(`${folder}/vm.log`, { largest: 10 });
    for (let line = 0; line < 5; line++) log.write(bytes(`line ${line}\n`));
    log.close();
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["vm.log", "vm.log.1", "vm.log.2"]);
    assert.deepEqual(names.map((name) => Deno.readTextFileSync(`${folder}/${name}`)), ["line 4\n", "line 3\n", "line 2\n"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a log that cannot be written any more says why, and stops", () => {
  const folder = Deno.makeTempDirSync();
  const log = new ConsoleLog(`${folder}/vm.log`, { largest: 10 });
  log.write(bytes("12345678"));
  Deno.removeSync(folder, { recursive: true });
  log.write(bytes("12345678")); // the next file has no folder
  assert.match(log.failed ?? "", /No such file/);
  log.write(bytes("more"));
  log.close();
  const none = new ConsoleLog(`${folder}/vm.log`);
  assert.match(none.failed ?? "", /vm\.log: No such file.*; name a writable file$/);
  none.write(bytes("more"));
  none.close();
});

Deno.test("a ring keeps the end of a console, from a line's start, and counts what it lost", () => {
  const ring = new ConsoleRing(20);
  for (let line = 0; line < 10; line++) ring.add(bytes(`line ${line}\n`));
  const kept = text.decode(ring.read(ring.start));
  assert.match(kept, /^line \d\n(line \d\n)*line 9\n$/);
  assert.deepEqual([ring.size, ring.lost], [20, 50]);
});

Deno.test("a ring keeps the same as a plain buffer, in whatever pieces output comes", () => {
  const piece = fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes })),
    limit = fc.integer({ min: 1, max: 60 }).map((limit) => ({ limit }));
  fc.assert(fc.property(fc.array(fc.oneof({ weight: 9, arbitrary: piece }, limit), { maxLength: 40 }), (steps) => {
    const ring = new ConsoleRing(50);
    let all: number[] = [], capacity = 50, lost = 0;
    for (const step of steps) {
      if ("bytes" in step) {
        ring.add(step.bytes);
        all.push(...step.bytes);
      } else ring.limit(capacity = step.limit);
      lost += Math.max(0, all.length - capacity);
      all = all.slice(-capacity);
    }
    assert.deepEqual([ring.size, ring.lost], [all.length, lost]);
    assert.deepEqual([...ring.read(ring.start)], lost ? all.slice(all.indexOf(10) + 1) : all);
    assert.deepEqual([...ring.read(lost + (all.length >> 1), 7)], all.slice(all.length >> 1).slice(0, 7));
  }));
});

Deno.test("a full log follows no link that a guest has put in its place, and asks whether it may be made", () =>
  inFolder((folder) => {
    const [shared, target] = [`${folder}/shared`, `${folder}/x.desktop`], path = `${shared}/vm.log`;
    Deno.mkdirSync(shared);
    let asked = 0, allowed = true;
    const log = new ConsoleLog(path, { largest: 10, allowed: () => ++asked > 0 && allowed });
    log.write(bytes("12345678"));
    Deno.removeSync(path);
    Deno.symlinkSync(target, path);
    log.write(bytes("guest's"));
    assert.equal(lstatIfThere(target), undefined, "the file behind the link is not made");
    assert.equal(Deno.readTextFileSync(path), "guest's");
    assert.ok(Deno.lstatSync(`${path}.1`).isSymlink);
    Deno.writeTextFileSync(target, "mine");
    log.write(bytes("12345678"));
    assert.deepEqual([asked, log.failed, Deno.readTextFileSync(target)], [2, undefined, "mine"]);
    allowed = false;
    log.write(bytes("12345678"));
    assert.match(log.failed ?? "", /no longer the file that the session was given/);
    assert.equal(Deno.readTextFileSync(path), "12345678");
    log.close();
  }));
