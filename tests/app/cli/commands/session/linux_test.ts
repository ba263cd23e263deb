import assert from "node:assert/strict";
import { catalogEntry } from "../../../../../src/app/catalog/catalog.ts";
import { LINUX_TABLES } from "../../../../../src/model/queries/linux-tables.ts";
import { eventually } from "../../../../support/eventually.ts";
import { Place } from "../../place.ts";

Deno.test("el2 linux reads a Debian's processes, log and stacks, and names what is not there; a break is SysRq", async () => {
  await catalogEntry("debian-bookworm");
  await using place = new Place();
  const none = await place.el2("linux", "stack", "task:one");
  assert.deepEqual([none.code, none.stderr], [2, 'el2: linux stack: "task:one" is not a process; use for example 1, sh or debian/1\n']);

  await place.up("one", "debian-bookworm");
  const ready = await place.el2("console", "debian", "--expect", "(/root|~) # ", "--timeout", "120s");
  assert.equal(ready.code, 0, ready.stderr);
  // The shell may have its prompt before the process that started it waits for it.
  const stackOfInit = async () => (await place.json("linux", "stack", "debian/1")).data.map(({ symbol }) => String(symbol));
  await eventually(stackOfInit, (symbols) => symbols.some((symbol) => symbol.startsWith("do_wait+0x")));
  const { data } = await place.json("linux", "ps", "--filter", "kernel=no");
  assert.deepEqual(data.map(({ id, name, state }) => [id, name, state])[0], ["task:debian/1", "init", "S"]);
  const log = await place.el2("linux", "log", "debian");
  assert.match(log.stdout, /^\[ {4}0\.000000\] Booting Linux on physical CPU/);
  assert.match(log.stdout, /^\[ {4}\d\.\d{6}\] Run \/init as init process$/m);
  const line = await place.el2("linux", "cmdline");
  assert.match(line.stdout, /^console=\S+.*\n$/);
  const threads = await place.json("linux", "ps", "debian", "--threads", "--filter", "pid=2");
  assert.deepEqual(threads.data.map(({ name, kernel }) => [name, kernel]), [["kthreadd", true]]);
  // A task by its name, if it is the only one.
  const [byName, byNumber] = [await place.json("linux", "stack", "kthreadd"), await place.json("linux", "stack", "2")];
  assert.deepEqual(byName.data, byNumber.data);
  const nobody = await place.el2("linux", "stack", "nobody");
  assert.equal(nobody.stderr, "el2: vm:debian has no process or thread nobody; list them with el2 linux ps --threads\n");
  assert.equal(
    (await place.el2("console", "debian", "--send", "sleep 900 & sleep 900 & echo $((1 + 1))-of-them\n", "--expect", "2-of-them")).code,
    0,
  );
  // They have their name once they have executed it.
  await eventually(
    async () => (await place.el2("linux", "stack", "sleep")).stderr,
    (text) => /^el2: 2 tasks of vm:debian have the name sleep; name one: task:debian\/\d+, task:debian\/\d+\n$/.test(text),
  );
  assert.equal((await place.el2("linux", "disks")).stdout, "it has no disks\n");
  for (const { name, args } of Object.values(LINUX_TABLES)) {
    const words = [...name.split("."), ..."pid" in args ? ["debian/1"] : [], "-o", "tsv"];
    const [heading, ...rows] = (await place.el2(...words)).stdout.split("\n").slice(0, -1).map((text) => text.split("\t"));
    assert.ok(heading?.length > 1, name);
    for (const row of rows) assert.equal(row.length, heading.length, `${name}: ${row.join(" | ")}`);
    const swapped = await place.el2(...words, "--columns", `${heading[1]},${heading[0]}`);
    assert.equal(swapped.stdout.split("\n")[0], `${heading[1]}\t${heading[0]}`, name);
  }
  const other = await place.el2("linux", "ps", "rm");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /^el2: no Linux kernel is mapped in vm:rm; /);

  const snapshot = `${place.folder}/a.snap`, core = `${place.folder}/vmcore`;
  assert.equal((await place.el2("snapshot", "save", snapshot)).code, 0);
  const written = await place.el2("snapshot", "vmcore", snapshot, core);
  assert.equal(written.code, 0, written.stderr);
  const info = await Deno.stat(core);
  assert.equal(written.stdout, `${core}: ${info.size} bytes\n`);
  assert.ok(512 * (info.blocks ?? 0) < info.size / 2, "pages of zeros are holes");
  const unknown = await place.el2("snapshot", "vmcore", snapshot, core, "--vm", "nobody");
  assert.deepEqual([unknown.code, unknown.stderr.split(";")[0]], [1, "el2: snapshot vmcore: no vm:nobody"]);

  // A break on its console is SysRq to Linux.
  const help = await place.el2("console", "debian", "--break", "--send", "h", "--expect", "sysrq: HELP", "--timeout", "120s");
  assert.deepEqual(help, { code: 0, stdout: "sysrq: HELP\n", stderr: "" });

  // The session answers for a VM that has ended.
  const off = await place.el2("console", "debian", "--send", "poweroff -f\n", "--expect", "Power down", "--timeout", "60s");
  assert.equal(off.code, 0, off.stderr);
  const last = await place.el2("linux", "log", "debian");
  assert.match(last.stdout, /reboot: Power down\n$/);
  const unnamed = await place.el2("linux", "log");
  assert.deepEqual([unnamed.code, unnamed.stdout], [1, ""]);
  // Without a Linux, all of these say so, in the same words.
  for (const command of [["ps"], ["disks"], ["stack", "1"], ["stack", "sh"], ["config"]]) {
    const { code, stderr } = await place.el2("linux", ...command);
    assert.deepEqual([code, stderr], [1, unnamed.stderr], command.join(" "));
  }
  assert.match(unnamed.stderr, /^el2: no VM's memory has a Linux kernel; .*name a VM that has ended\n$/);
});
