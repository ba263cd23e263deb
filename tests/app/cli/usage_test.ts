import assert from "node:assert/strict";
import { isExactly, parseFilter } from "../../../src/model/queries/filters/filter.ts";
import { TABLES } from "../../../src/model/queries/tables.ts";
import { el2Command } from "../../support/el2.ts";
import { el2, el2Refused } from "./program.ts";

const NOT_AN_IMAGE = new URL("../../../LICENSE", import.meta.url).pathname;

/** Command line, and what the one line on stderr must say. All end with 2 and start nothing. */
const MISTAKES: readonly [args: string, says: RegExp][] = [
  ["boot", /boot: no image; name one/],
  [
    "stop",
    /^el2: unknown command "stop"; to shut a VM down: el2 vm stop --help; to end a session: el2 down; to stop the time: el2 pause\n$/,
  ],
  ["kill ping --now", /to end a VM: el2 vm kill ping; to end a session: el2 down ping\n$/],
  ["list", /to list sessions: el2 ls; to list VMs: el2 vm ls\n$/],
  ["exec debian", /to type a line into a guest: el2 console debian --send 'uname -a\\n'\n$/],
  ["start x.toml", /to start a session: el2 up x\.toml; to start a VM of a session: el2 vm start x\.toml\n$/],
  ["ssh", /to forward a port to a guest: el2 run debian --net user --forward 2222:22\n$/],
  ["vm show ping", /unknown command "show" of el2 vm; use el2 show vm:ping\n/],
  ["mem parcel 7", /use el2 show parcel:7\n/],
  ["vmm", /use el2 run demo --headless --log run\.log,debug\n$/],
  ["cpu show v8.4", /use el2 reference cpu v8\.4\n$/],
  ["spec hypervisor 4.4", /use el2 reference spec hypervisor 4\.4\n$/],
  ["strace", /to list system calls as they return: el2 events --follow --kinds syscall\n$/],
  ["stack", /^el2: unknown command "stack"; there are el2 vcpu stack, el2 linux stack\n$/],
  ["dmesg", /^el2: unknown command "dmesg"; there is el2 linux log\n$/],
  ["reboot", /^el2: unknown command "reboot"; there is el2 vm reset\n$/],
  ["--session demo why", /^el2: unknown option "--session"; it follows its command: el2 COMMAND --session\n/],
  ["--nonsense", /^el2: unknown option "--nonsense"; list the options with el2 --help\n/],
  ["constructor", /unknown command "constructor"; list the commands with el2 --help/],
  ["help no-such-command", /unknown command "no-such-command"/],
  ["events --limit x", /^el2: --limit: "x" is not a whole number; use 1\.\.1000000000\n/],
  ["mem read nonsense", /^el2: mem read: "nonsense" is not a place in memory; use pa:ADDRESS, .* or VM:SYMBOL\n/],
  ["vm list", /^el2: unknown command "list" of el2 vm; did you mean "ls"\?\n/],
  ["snapshot sav x", /^el2: unknown command "sav" of el2 snapshot; did you mean "save"\? Use one of save, load, /],
  ["boot no-such-file", /kernel no-such-file: no such file/],
  [`boot ${NOT_AN_IMAGE}`, /not an arm64 Linux Image/],
  ["boot .", /kernel \.: is a folder/],
  [`boot ${NOT_AN_IMAGE} --cpus 9`, /"9" is outside 1\.\.8/],
  [`boot ${NOT_AN_IMAGE} --memory 1XB`, /"1XB" is not a size; use for example 512MiB/],
  [`boot ${NOT_AN_IMAGE} --memory 3MiB`, /memory "3MiB" is outside 8MiB\.\.3064MiB/],
  [`boot ${NOT_AN_IMAGE} --memory 1TiB`, /memory "1TiB" is outside 8MiB\.\.3064MiB/],
  ["run demo --memory-budget 1MiB", /"1MiB" is outside 16MiB\.\.64GiB\./],
  [`boot ${NOT_AN_IMAGE} --timeout 5`, /"5" is not a duration/],
  [`boot ${NOT_AN_IMAGE} --hash-at 5,4`, /not an ascending list/],
  [`boot ${NOT_AN_IMAGE} --cpsu 3`, /unknown option "--cpsu"; did you mean "--cpus"\?/],
  ["replay --headless a.rec", /unknown option "--headless"; el2 run, el2 snapshot load have it\n/],
  ["boot assets/guests/hello.bin --disk no/such/file", /image no\/such\/file: no such file/],
  ["boot assets/guests/hello.bin --disk src", /image src: is a folder/],
  ["boot assets/guests/hello.bin --disk /dev/full", /image \/dev\/full: is not a regular file/],
  ["boot assets/guests/hello.bin --share no/such/folder", /no\/such\/folder: no such folder/],
  ["boot assets/guests/hello.bin --share LICENSE,ro", /LICENSE is not a folder/],
  ["boot assets/guests/hello.bin --share src,tag=a/b", /"a\/b" is not a tag/],
  ["boot assets/guests/hello.bin --share src --share docs,ro", /two shares have the tag "share"; name one with --share DIR,tag=NAME/],
  ["boot assets/guests/hello.bin --forward 2222:22", /--forward needs --net user/],
  [
    'boot assets/guests/hello.bin --set host.devices=[{kind="input",type="mouse"}]',
    /type "mouse" is not known; use "keyboard" or "tablet"/,
  ],
  ["boot assets/guests/hello.bin --net tap", /"tap" is not a network; use user, none or user,capture=frames\.pcapng/],
  ["boot assets/guests/hello.bin --net user,host=maybe", /"host=maybe": use host=yes or host=no/],
  ["boot assets/guests/hello.bin --net user,allow=10.0.0.0/33", /"10\.0\.0\.0\/33" is not an address; use for example 192\.168\.1\.0\/24/],
  [
    "boot assets/guests/hello.bin --net user,wan=yes",
    /"wan=yes" is not a key of --net user; use one of host, lan, internet, allow, deny, capture/,
  ],
  ["boot assets/guests/hello.bin --net none,host=yes", /only user has a policy/],
  ["boot assets/guests/hello.bin --net user --forward udp:1", /"udp:1" is not a pair of ports; use for example 2222:22 or udp:5353:53/],
  ["boot assets/guests/hello.bin --log no/such/folder/file", /^el2: --log no\/such\/folder\/file: no such folder\n$/],
  ["run demo --record no/such/folder/file", /^el2: --record no\/such\/folder\/file: no such folder\n$/],
  ["run demo --log assets", /^el2: --log assets: is a folder\n$/],
  ["run no-such-file.toml", /no-such-file\.toml: no such file/],
  ["bot x", /^el2: unknown command "bot"; did you mean "boot"\? List the commands with el2 --help\n$/],
  ["run demo --console pign", /--console: no VM called "pign"; did you mean "ping"\? Use one of hello, ping, pong, host\n$/],
  ["run demo --until kind=sate", /^el2: --until: no "sate"; did you mean "state"\? Use one of .*\n {2}kind=sate\n {7}\^\n$/],
];

for (const [args, says] of MISTAKES) {
  Deno.test(`el2 ${args.replaceAll(NOT_AN_IMAGE, "FILE")} is a usage error that says why`, async () => {
    const { code, stdout, stderr } = await el2Refused(args.split(" "));
    assert.match(stderr, says);
    assert.match(stderr, /^el2: /);
    assert.doesNotMatch(stderr, /\bat .*\.ts:\d+/, "no stack trace");
    assert.equal(stdout, "");
    assert.equal(code, 2);
  });
}

Deno.test("--version and --help answer on stdout with 0", async () => {
  const [version, help] = await Promise.all([el2Refused(["--version"]), el2Refused(["boot", "--help"])]);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(version.code, 0);
  assert.match(help.stdout, /Examples:/);
  assert.equal(help.code, 0);
});

Deno.test("--help lists each command below what it is for", async () => {
  const { stdout } = await el2Refused(["--help"]);
  assert.doesNotMatch(stdout, /^Commands:$/m, "a command is below no heading of src/app/cli/main.ts");
  assert.match(stdout, /^Run:\n {2}boot \[options\] \[image\] [\s\S]*^Inspect a session:\n {2}vm [\s\S]*^Reference:\n/m);
});

Deno.test("boot of a guest with a disk that was never fetched says how to have it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-cache-" });
  try {
    const { code, stderr } = await el2Refused(["boot", "debian", "--stdio"], { EL2_CACHE: folder });
    assert.deepEqual([code, stderr], [
      2,
      'el2: boot debian: the cache has no guest with a disk called "debian"; make one with el2 guests fetch debian --disk, or run one without: el2 run debian\n',
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a reader that goes away ends the run quietly", async () => {
  const [program, ...args] = el2Command();
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const stderr = await new Response(child.stderr).text();
  await child.status;
  assert.doesNotMatch(stderr, /Uncaught|BrokenPipe/);
});

Deno.test("run without a terminal puts the VM's name before its lines, also of one image, whose name it has, and --for ends with 0", async () => {
  const { code, stdout, stderr } = await el2("run", "assets/guests/hello.bin", "--for", "1500ms", "--turbo");
  assert.ok(stdout.split("\n").filter((line) => line !== "").every((line) => line.startsWith("hello| ")), stdout);
  assert.match(stdout, /hello\| tick 1/);
  assert.match(stderr, /1\.5 s of virtual time passed/);
  assert.equal(code, 0);
});

Deno.test("an empty word, or one with a quote, is the name of nothing", async () => {
  const lines = [
    ...[["reference", "theme", "--config", ""], ["snapshot", "verify", ""], ["diff", "", ""], ["test", ""], ["disasm", ""], [
      "vm",
      "lint",
      "",
    ]],
    ...[["completion", "toString"], ["replay", ""], ["trace", "export", ""], ["run", ""], ["boot", ""]],
  ];
  for (const line of lines) {
    const { code, stderr } = await el2Refused(line);
    assert.ok(code === 1 || code === 2 || code === 3, `${line.join(" ")}: ${code}`);
    assert.match(stderr, /^el2: [^\n]+\n/, line.join(" "));
  }
  const table = TABLES["rpc.ls"], row = { id: "rpc:1" };
  for (const name of ['"', "", "-", "a..b", "rpc:1 | id~.", 'rpc:"1']) {
    assert.equal(parseFilter(isExactly("id", name), table).matches(row), false, name);
  }
  assert.ok(parseFilter(isExactly("id", "rpc:1"), table).matches(row));
});

Deno.test("el2 help is --help, and el2 help COMMAND … that of the command", async () => {
  for (const path of [[], ["vm"], ["vm", "stop"]]) {
    const asked = await el2Refused(["help", ...path]), flag = await el2Refused([...path, "--help"]);
    assert.deepEqual([asked.code, asked.stdout], [0, flag.stdout]);
    assert.match(asked.stdout, /^Usage: el2/);
  }
});

Deno.test("help names the options that many commands have in one line, and el2 help options explains each", async () => {
  const list = await el2("vm", "ls", "--help"), page = await el2("help", "options");
  const [, names] = /^Common options \(el2 help options\): ([^]*?)\n\n/m.exec(list.stdout) ?? [];
  assert.deepEqual(names?.split(/,\s+/), [
    "--json",
    "--session",
    "--read-only",
    "--core",
    "--filter",
    "--limit",
    "--columns",
    "--watch",
    "-o",
  ]);
  assert.doesNotMatch(list.stdout, /^ +(?:-o, )?--(?:json|filter|output)/m);
  assert.equal(page.code, 0);
  for (const name of names.split(/,\s+/)) assert.match(page.stdout, new RegExp(`^ {2}${name}\\b.*\\w`, "m"), name);
});

Deno.test("run refuses --headless with --stdio: one prints consoles, the other connects one", async () => {
  const { code, stderr } = await el2Refused(["run", "demo", "--headless", "--stdio"], {});
  assert.deepEqual([code, stderr], [2, "el2: run: --headless prints consoles, and --stdio connects one; give one\n"]);
});
