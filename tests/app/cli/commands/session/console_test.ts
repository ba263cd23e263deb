import assert from "node:assert/strict";
import { catalogEntry } from "../../../../../src/app/catalog/catalog.ts";
import { eventually } from "../../../../support/eventually.ts";
import { Place } from "../../place.ts";
import { A64, imageOf, SYSTEM_OFF } from "../../program.ts";

Deno.test("console --expect finds the output since the last input, also earlier output, and --send types", async () => {
  await using place = new Place();
  await place.up("one");
  const expect = (text: string, ...options: string[]) => place.el2("console", "hello", "--expect", text, ...options);
  // Twice: the second is sure to come after the output.
  for (const _ of [1, 2]) assert.equal((await expect("hello from EL1", "--timeout", "60s")).stdout, "hello from EL1\n");
  const { code, stdout } = await place.el2("console", "hello", "--send", "x", "--expect", "typed 'x'", "--timeout", "120s");
  assert.equal(code, 0);
  assert.equal(stdout, "typed 'x'\n");
  assert.equal((await expect("typed 'x'", "--timeout", "120s")).code, 0);
  assert.equal((await expect("hello from EL1", "--timeout", "100ms")).code, 4, "before the input");
  assert.match((await place.el2("console", "hello")).stdout, /^hello from EL1/);

  // A line that nothing answers may lack its Enter.
  const says = async (text: string) =>
    (await place.el2("console", "hello", "--send", text, "--expect", "never said", "--timeout", "200ms")).stderr;
  assert.match(await says("ls"), /\nel2: --send typed no Enter, which is \\n\n$/);
  assert.doesNotMatch(await says("ls\\n"), /Enter/);
});

Deno.test("console --send to a VM that was killed ends with 1, and the session continues", async () => {
  await using place = new Place();
  await place.up("one");
  assert.equal((await place.el2("vm", "kill", "ping")).code, 0);
  const ping = async () => (await place.json("vm", "ls", "--filter", "id=vm:ping")).data[0];
  const { input_refused, input_way_out } = await eventually(ping, ({ state }) => state === "stopped");
  assert.deepEqual([input_refused, input_way_out], ["con:ping: the VM has stopped", "start it again with el2 vm start ping"]);
  const typed = await place.el2("console", "ping", "--send", "f");
  assert.deepEqual([typed.code, typed.stderr], [1, "el2: con:ping: the VM has stopped; start it again with el2 vm start ping\n"]);
  assert.match((await place.el2("why", "--about", "vm:ping")).stdout, /vm:ping ended: forced/);
  const [pong] = (await place.json("vm", "ls", "--filter", "id=vm:pong")).data;
  assert.equal(pong.state, "running");
});

/** Prints a letter, counts for two seconds (movz w5, sub, cbnz), and ends. */
const ENDING = imageOf([
  ...[A64.loadX1High(0x0900), A64.loadW2(0x61), A64.storeByte],
  ...[0x52a80005, 0x510004a5, 0x35ffffe5],
  ...[...A64.loadW0(SYSTEM_OFF), A64.hvc],
]);

Deno.test("console --expect ends with the machine, which prints nothing more", async () => {
  await using place = new Place();
  const image = `${place.folder}/ending.bin`;
  await Deno.writeFile(image, ENDING);
  await place.up("one", image);
  // While it runs, most likely, and when it has ended.
  for (const _ of [1, 2]) {
    const { code, stderr } = await place.el2("console", "ending", "--expect", "never", "--timeout", "60s");
    assert.match(stderr, /^el2: the machine has ended: /);
    assert.equal(code, 1);
  }
});

Deno.test("console --expect sees a prompt at the end, also where a question to the terminal follows it", async () => {
  await using place = new Place();
  const bytes = Array.from(new TextEncoder().encode("~ # \x1b[6n"), (byte) => [A64.loadW2(byte), A64.storeByte]).flat();
  const image = `${place.folder}/prompt.bin`;
  await Deno.writeFile(image, imageOf([A64.loadX1High(0x0900), ...bytes, 0xd503207f, 0x17ffffff]));
  await place.up("one", image);
  const { code, stdout } = await place.el2("console", "prompt", "--expect", "# $", "--timeout", "60s");
  assert.deepEqual([code, stdout], [0, "# \n"]);
  assert.equal((await place.el2("console", "prompt")).stdout, "~ # \x1b[6n", "the bytes are the guest's");
});

/** Nothing prints until the guest has found its virtio console, long after `up`. */
Deno.test("console reads and types at the ports of a virtio console, from the start of its VM", async () => {
  await using place = new Place();
  const { folder } = await catalogEntry("debian-bookworm"), file = `${place.folder}/el2.toml`;
  await Deno.writeTextFile(
    file,
    `el2 = 1
[vm.deb]
kernel = "${folder}/Image"
initrd = "${folder}/initrd-virtio"
cmdline = "console=hvc0 quiet"
devices = [{ kind = "console", ports = ["hvc0", "agent"] }]
`,
  );
  await place.up("one", file, "--turbo", "--allow-host", "all");
  const expect = (vm: string, text: string, ...options: string[]) =>
    place.el2("console", vm, "--expect", text, "--timeout", "120s", ...options);
  assert.deepEqual(await expect("deb", "# $"), { code: 0, stdout: "# \n", stderr: "" });
  const [{ console }] = (await place.json("vm", "ls", "--filter", "id=vm:deb")).data;
  assert.equal(console, "con:deb/hvc0");
  assert.equal((await expect("con:deb/hvc0", "sum 42", "--send", "echo sum $((6*7))\\n")).stdout, "sum 42\n");
  assert.equal((await expect("deb/agent", "x", "--timeout", "100ms")).code, 4, "the other port has shown nothing");
  assert.match((await place.el2("logs", "deb")).stdout, /^- +deb\/hvc0 sum 42$/m);
});

Deno.test("a VM without a console is refused, and one that prints by semihosting alone takes no input", async () => {
  await using place = new Place();
  await Deno.writeFile(`${place.folder}/a.bin`, imageOf([A64.wfi, A64.branch(-1)]));
  const vm = (name: string, keys: string) => `[vm.${name}]\nimage = "a.bin"\ndevices = []\n${keys}\n`;
  await Deno.writeTextFile(`${place.folder}/el2.toml`, `el2 = 1\n${vm("mute", "")}${vm("says", "semihosting = true")}`);
  await place.up("one", `${place.folder}/el2.toml`, "--allow-host", "all");
  const refused = await place.el2("console", "mute", "--expect", "x");
  assert.deepEqual([refused.code, refused.stderr], [1, "el2: vm:mute has no console\n"]);
  assert.equal((await place.el2("console", "says", "--expect", "x", "--timeout", "100ms")).code, 4);
  const typed = await place.el2("console", "says", "--send", "x");
  assert.deepEqual([typed.code, typed.stderr], [1, "el2: con:says: the VM has no serial port that takes input\n"]);
});
