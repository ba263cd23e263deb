import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Place } from "../../place.ts";
import { eventually } from "../../../../support/eventually.ts";
import { el2Command } from "../../../../support/el2.ts";
import { el2With } from "../../program.ts";
import { PERMISSIONS } from "../../../../../src/app/cli/common/runtime.ts";
import { LONG } from "../../../../support/long.ts";

Deno.test("W66: the socket has mode 0600 in a folder of mode 0700, and another up of its name ends with 1", async () => {
  await using place = new Place();
  await place.up("one");
  assert.equal(Deno.statSync(`${place.folder}/el2/one.sock`).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(`${place.folder}/el2`).mode! & 0o777, 0o700);
  const { code, stderr } = await place.el2("up", "demo", "--name", "one");
  assert.equal(code, 1);
  assert.match(stderr, /^el2: session one is already running; show it with el2 attach one, end it with el2 down one$/m);
});

Deno.test("W30: a log file holds each console from its first byte", async () => {
  await using place = new Place();
  await place.up("one");
  // On a busy machine the guests may not have been made yet.
  for (const vm of ["hello", "ping", "pong"]) {
    await place.printed(vm);
    const { stdout } = await place.el2("console", vm);
    assert.ok(stdout.length > 0, vm);
    const log = await Deno.readTextFile(`${place.folder}/el2/one.consoles/${vm}.log`);
    assert.ok(log.startsWith(stdout), `${vm}: what the console shows is not how its log begins`);
  }
});

Deno.test("W69: up says all errors of a configuration and starts nothing", async () => {
  await using place = new Place();
  const file = `${place.folder}/bad.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[machine]\ncpus = 99\n[vm.a]\nimage = "none.bin"\nvcpus = 20\n`);
  const { code, stderr } = await place.el2("up", file);
  assert.equal(code, 2);
  assert.match(stderr, /:3:8: /);
  assert.match(stderr, /:6:9: /);
  assert.equal((await place.el2("ls")).stdout, "");
});

Deno.test("of two that start a session of one name at once, one does, the other says that it runs already", async () => {
  await using place = new Place();
  for (let round = 0; round < (LONG ? 3 : 1); round++) {
    const ups = await Promise.all([1, 2].map(() => place.process("up", "demo", "--name", "same")));
    assert.deepEqual(ups.map(({ code }) => code).sort(), [0, 1]);
    assert.match(ups.find(({ code }) => code === 1)!.stderr, /^el2: session same is already running/);
    const sessions = JSON.parse((await place.el2("ls", "--json")).stdout).data;
    assert.deepEqual(sessions.map(({ name }: { name: string }) => name), ["same"], "the socket is that of the one that started");
    assert.equal((await place.el2("down", "same")).code, 0);
  }
});

/** Makes a checkout in a folder, whose program has a worker that throws while it loads. */
async function throwingProgram(folder: string): Promise<string> {
  const root = new URL("../../../../../", import.meta.url), main = new URL("src/app/cli/main.ts", root).href;
  for (const name of ["deno.json", "deno.lock", "import-map.json"]) await Deno.copyFile(new URL(name, root), `${folder}/${name}`);
  await Deno.writeTextFile(
    `${folder}/main.ts`,
    `if (typeof WorkerGlobalScope !== "undefined") throw new Error("the worker has a bug");
const { main } = await import(${JSON.stringify(main)});
Deno.exit(await main(Deno.args, new URL(import.meta.url)));
`,
  );
  return `${folder}/main.ts`;
}

Deno.test("up says at once that the session's worker could not be loaded, and the session can be removed", async () => {
  await using place = new Place();
  const checkout = `${place.folder}/checkout`;
  await Deno.mkdir(checkout);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-check", ...PERMISSIONS, await throwingProgram(checkout), "up", "demo", "--name", "thrown"],
    env: { XDG_RUNTIME_DIR: place.folder, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert.equal(code, 1);
  assert.match(
    new TextDecoder().decode(stderr),
    /^el2: session thrown has ended: Uncaught \(in promise\) Error: the worker has a bug; el2 down thrown removes it\n$/,
  );
  assert.equal((await place.el2("down", "thrown")).code, 0);
  assert.equal((await place.el2("ls")).stdout, "");
});

Deno.test("a socket that nobody answers is taken over", async () => {
  await using place = new Place();
  Deno.mkdirSync(`${place.folder}/el2`, { mode: 0o700 });
  Deno.writeTextFileSync(`${place.folder}/el2/dead.sock`, "");
  await place.up("dead");
  assert.equal((await place.el2("vm", "ls", "--session", "dead")).code, 0);
});

Deno.test("up of a machine that ends at once, or up --wait of a VM that fails, says why and ends with 1", async () => {
  await using place = new Place();
  await Deno.writeFile(`${place.folder}/udf.bin`, new Uint8Array(8));
  const file = `${place.folder}/udf.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[vm.udf]\nimage = "udf.bin"\nmemory = "4MiB"\n`);
  const ended = await place.el2("up", file, "--name", "ended");
  assert.equal(ended.code, 1);
  assert.match(
    ended.stderr,
    /^el2: session ended has ended: crashed: udf .*; el2 why --session ended says why, el2 down ended removes it\n$/,
  );
  assert.match((await place.el2("why", "--session", "ended")).stdout, /vm:udf ended: fault\n.*undefined instruction at 0x80000000: udf #0/);
  const failed = await place.el2("up", "demo", "--name", "failed", "--wait", "--inject", "rpc msg=MEM_LEND nth=2 -> NOMEM");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /vm:ping ended: ENOMEM[^]*rpc MEM_LEND[^]*\nel2: vm:ping of session failed has failed; /);
  const well = await place.el2("up", "demo", "--name", "well", "--wait");
  assert.equal(well.code, 0, well.stderr);
  const running = (await place.json("vm", "ls", "--filter", "via=gunyah state=running", "--session", "well")).data;
  assert.equal(running.length, 3);
  for (const name of ["ended", "failed", "well"]) await place.el2("down", name);
});

Deno.test("up of a machine that cannot boot names the reason, and no command that has nothing to say", async () => {
  await using place = new Place();
  const { code, stderr } = await place.el2("up", "demo", "--name", "full", "--inject", "alloc what=page -> NOMEM");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^el2: session full has ended: .*a fault was injected \(faults injected: 1\); el2 down full removes it\n$/,
  );
  assert.equal((await place.el2("down", "full")).code, 0);
});

Deno.test("a session that is recorded leaves states of its run in the cache, named by the recording's content", async () => {
  await using place = new Place();
  const file = `${place.folder}/busy.toml`, recording = `${place.folder}/a.rec`, cache = `${place.folder}/cache`;
  const image = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;
  const machine = `[machine]\nturbo = true\nrecord = "${recording}"\n[vm.hello]\nimage = "${image}"\nmemory = "4MiB"\n`;
  await Deno.writeTextFile(file, `el2 = 1\n${machine}`);
  const env = { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "", EL2_CACHE: cache };
  const up = await el2With(env, "up", file, "--name", "one", "--allow-host", recording, "--allow-host", image);
  assert.equal(up.code, 0, up.stderr);
  // A run that took no longer is as quick without states.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal((await el2With(env, "down", "one")).code, 0);
  const [states, ...more] = Array.from(Deno.readDirSync(`${cache}/states`), ({ name }) => name);
  assert.deepEqual(more, []);
  assert.match(states, new RegExp(`^[0-9a-f]{64}-${createHash("sha256").update(Deno.readFileSync(recording)).digest("hex")}\\.states$`));
});

Deno.test("up takes the devices and the recording of run: the session's VM has them, and its run repeats", async () => {
  await using place = new Place();
  const image = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname, { folder } = place;
  Deno.writeFileSync(`${folder}/d.img`, new Uint8Array(4096));
  const up = await place.el2(
    ...["up", image, "--name", "one", "--disk", `${folder}/d.img,overlay`, "--share", `${folder},ro,tag=own`],
    ...["--net", "user,lan=yes", "--net", "none", "--record", `${folder}/a.rec`, "--tier", "interp"],
  );
  assert.equal(up.code, 0, up.stderr);
  const { data } = await place.json("vm", "devices", "hello");
  const added = data.map(({ kind }) => String(kind)).filter((kind) => kind.startsWith("virtio-"));
  assert.deepEqual(added, ["virtio-block", "virtio-9p", "virtio-net", "virtio-net"]);
  assert.equal((await place.el2("down", "one")).code, 0);
  const replayed = await place.el2("replay", `${folder}/a.rec`, "--verify");
  assert.equal(replayed.code, 0, replayed.stderr);
  const snapshot = await place.el2("up", "demo", "--name", "two");
  assert.equal(snapshot.code, 0, snapshot.stderr);
  assert.equal((await place.el2("snapshot", "save", `${folder}/b.snap`, "--session", "two")).code, 0);
  const refused = await place.el2("up", `${folder}/b.snap`, "--name", "three", "--net", "none");
  assert.deepEqual([refused.code, /--net: the snapshot .*b\.snap sets this/.test(refused.stderr)], [2, true], refused.stderr);
  const continued = await place.el2("up", `${folder}/b.snap`, "--name", "three", "--record", `${folder}/c.rec`);
  assert.equal(continued.code, 0, continued.stderr);
  for (const name of ["two", "three"]) assert.equal((await place.el2("down", name)).code, 0);
  assert.equal((await place.el2("replay", `${folder}/c.rec`, "--verify")).code, 0);
});

Deno.test("ctrl-C of an up that waits says how to show and to end the session, which goes on", async () => {
  await using place = new Place();
  const file = `${place.folder}/one.toml`, image = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;
  await Deno.writeTextFile(file, `el2 = 1\n[vm.hello]\nimage = "${image}"\nmemory = "4MiB"\n`);
  const env = { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" };
  const [command, ...args] = el2Command("up", file, "--wait", "--allow-host", image, "--inject", "ioctl name=GH_VM_START -> delay 1000s");
  const up = new Deno.Command(command, { args, env, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const listed = await eventually(() => place.el2("ls", "--columns", "name,by"), ({ stdout }) => /^one +el2 up$/m.test(stdout));
  assert.equal(listed.code, 0);
  up.kill("SIGINT");
  const { code, stderr } = await up.output();
  assert.deepEqual([code, /^el2: session one .*end it with el2 down one$/m.test(new TextDecoder().decode(stderr))], [130, true]);
  assert.equal((await place.el2("down", "one")).code, 0);
});

Deno.test("of many VMs that fail, each has its own refusal as the reason; up and ls count them in one short line", async () => {
  await using place = new Place();
  // The first guest's six words: doorbell_send of a capability that it does not have, then wfi.
  const words = [0xd2824680, 0xd2800021, 0xd2800002, 0xd40c0242, 0xd503207f, 0x17ffffff];
  await Deno.writeFile(`${place.folder}/first.bin`, new Uint8Array(Uint32Array.from(words).buffer));
  const vm = (index: number) => `[vm.a-vm-with-a-rather-long-name-${index}]\nimage = "first.bin"\nmemory = "2MiB"\n`;
  const file = `${place.folder}/many.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[machine]\nmemory = "1GiB"\n${Array.from({ length: 64 }, (_, index) => vm(index)).join("")}`);
  const { code, stderr } = await place.el2("up", file, "--name", "many");
  assert.equal(code, 0, stderr);
  // The Resource Manager's heap has no room for all of them.
  // Those that sleep for good are stuck once they have run, which `up` does not wait for.
  assert.match(stderr, /^el2: (\d+ stuck, )?\d\d failed; el2 why --session many and el2 diagnose --session many say why$/m);
  const states = async () => (await place.el2("ls", "--columns", "name,state")).stdout;
  const listed = await eventually(states, (text) => /^many +runs; \d\d stuck, \d\d failed$/m.test(text));
  assert.ok(listed.split("\n").every((line) => line.length < 80), listed);
  const { data: reasons } = await place.json("why", "--list", "--filter", "ended!=-");
  assert.ok(reasons.length > 10);
  for (const { ended, asked_by, object } of reasons) {
    assert.equal(asked_by, "vcpu:host/0", String(ended));
    if (object !== null && String(object).startsWith("vm:a-")) assert.equal(object, ended);
  }
});
