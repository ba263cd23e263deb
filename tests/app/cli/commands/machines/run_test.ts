import assert from "node:assert/strict";
import { el2Command } from "../../../../support/el2.ts";
import { el2 } from "../../program.ts";

const DEMO = new URL("../../../../../assets/demo.toml", import.meta.url).pathname;
const PING = new URL("../../../../../assets/guests/ping.elf", import.meta.url).pathname;

Deno.test("run --until ends at the event with 0, --for before it with 4", async () => {
  const met = await el2("run", DEMO, "--turbo", "--for", "5s", "--until", "kind=rpc name=VM_START");
  assert.equal(met.code, 0, met.stderr);
  assert.match(met.stderr, /^el2: --until: ev:\S+ vcpu:rm\/0 VM_START/);
  const waited = await el2("run", DEMO, "--turbo", "--for", "5ms", "--until", "name=NEVER");
  assert.equal(waited.code, 4);
  assert.match(waited.stderr, /0\.005 s of virtual time passed, and nothing matched --until name=NEVER/);
});

Deno.test("W57: a wrong --until, --set, --inject or value starts nothing and ends with 2", async () => {
  for (
    const [option, value, says] of [
      ["--until", "bad=1", /no field "bad"/],
      ["--set", "machine.cpus=99", /cpus 99 is outside 1\.\.8/],
      ["--set", "x", /KEY=VALUE/],
      ["--inject", "virq vm=png -> lose", /^el2: inject: .* no VM called "png"; did you mean "ping"/],
      ["--inject", "hvc vcpu=ping/7 -> BUSY", /^el2: inject: .* no vCPU called "ping\/7"; did you mean "ping\/0"/],
      ["--inject", "dev=ping/blk9 -> die", /^el2: inject: .* no virtio device called "ping\/blk9"/],
      ["--symbols", `png=${PING}`, /^el2: --symbols: no VM called "png"; did you mean "ping"/],
    ] as const
  ) {
    const { code, stderr, stdout } = await el2("run", DEMO, option, value);
    assert.equal(code, 2, value);
    assert.match(stderr, says);
    assert.equal(stdout, "");
  }
});

Deno.test("run --console shows one console, without its name before each line", async () => {
  const { code, stdout } = await el2("run", DEMO, "--turbo", "--for", "100ms", "--console", "ping");
  assert.equal(code, 0);
  assert.match(stdout, /^ping: 32 balls a set/);
  assert.doesNotMatch(stdout, /hello from EL1|\| /);
});

Deno.test("a VM that cannot be started is told while others run; where all have ended, the end tells it", async () => {
  const fault = ["--headless", "--turbo", "--for", "100ms", "--inject", "rpc msg=MEM_LEND nth=2 -> NOMEM"];
  const some = await el2("run", "demo", ...fault, "--recordings", "none");
  assert.equal(some.code, 1, "ping has failed");
  assert.match(
    some.stderr,
    /^vm:ping failed: GH_VM_START -> ENOMEM: a fault was injected\nwhy:2 .*vm:ping ended: ENOMEM .*\n.*ioctl GH_VM_START.*\n.*rpc MEM_LEND.*-> 1 NOMEM\n/m,
  );
  // A slow machine tells the note before the end.
  assert.match(some.stderr, /^el2: ping: START: ENOMEM$/m);
  assert.match(some.stderr, /\nel2: 0\.1 s of virtual time passed; ping: a fault was injected\n$/);
  const folder = await Deno.makeTempDir();
  try {
    const all = await el2("run", "assets/guests/hello.bin", ...fault.map((word) => word.replace("nth=2", "nth=1")), "--recordings", folder);
    assert.equal(all.code, 1);
    assert.match(all.stderr, /\nel2: crashed: hello; first error: hello: START: ENOMEM\n$/);
    const [, recording] = /^el2: recorded; el2 replay (\S+\.rec) --tui shows it/m.exec(all.stderr) ?? assert.fail(all.stderr);
    const again = await el2("replay", recording);
    assert.deepEqual([again.code, again.stderr.includes("crashed: hello")], [1, true], again.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("W2: bare el2 without a terminal runs the demo for 5 s of virtual time, each console line after its VM's name", async () => {
  const { code, stdout, stderr } = await el2();
  assert.equal(code, 0);
  assert.ok(stdout.trimEnd().split("\n").every((line) => /^(hello|ping|pong)\| /.test(line)));
  assert.match(stderr, /5 s of virtual time passed/);
});

Deno.test("W58: ctrl-c in a headless run stops in order and ends with 130", async () => {
  const file = await Deno.makeTempFile({ suffix: ".rec" });
  const [program, ...args] = el2Command("run", DEMO, "--record", file);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("hello from EL1");) text += (await reader.read()).value ?? "";
  child.kill("SIGINT");
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text(), drain(reader)]);
  assert.equal(code, 130);
  assert.equal(stderr, `el2: interrupted\nel2: recorded ${file}; el2 replay ${file} repeats the run\n`);
  // In order: what was recorded is whole, up to the end.
  const replayed = await el2("replay", file, "--verify");
  await Deno.remove(file);
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.match(replayed.stdout, /hello from EL1/);
});

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}

Deno.test("W17: keys that clash, or belong to no action, are errors of the configuration", async () => {
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  const guest = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;
  const run = async (keys: string) => {
    await Deno.writeTextFile(file, `el2 = 1\n[ui]\nkeys = ${keys}\n[vm.hello]\nimage = "${guest}"\n`);
    return await el2("run", file, "--allow-host", "all", "--turbo", "--for", "1ms");
  };
  try {
    const clash = await run('{ "list.sort" = "S" }');
    assert.equal(clash.code, 2);
    assert.match(clash.stderr, /\[ui\] keys: key S is list\.sort's and list\.sort-reverse's; change one/);
    assert.match((await run('{ "list.srot" = "O" }')).stderr, /there is no action "list\.srot"/);
    assert.equal((await run('{ "list.sort" = "O" }')).code, 0);
  } finally {
    await Deno.remove(file);
  }
});
