// Files of strangers and what their machines may use of this computer: by door and by kind of
// resource. Files of the own folder may be read; all else needs the user's consent.
// Around the stranger's folder are files of the user, which must stay as they are.

import assert from "node:assert/strict";
import { toolsOf } from "../../../src/app/cli/mcp/tools.ts";
import { commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { Failure } from "../../../src/app/cli/common/failure.ts";
import { hostConsent } from "../../../src/app/cli/start/plans/consent.ts";
import { plannedOf } from "../../../src/app/cli/start/plans/planned.ts";
import { readNamedRecording } from "../../../src/app/cli/start/plans/recordings.ts";
import { planOfSnapshot } from "../../../src/app/cli/start/plans/snapshots.ts";
import type { DevicePlan, SessionPlan } from "../../../src/model/plans/plan.ts";
import { recordingHeader } from "../../../src/session/recordings/file/recording-writer.ts";
import { planScenario } from "../../../src/app/scenarios/plan-scenario.ts";
import { readScenario } from "../../../src/app/scenarios/scenario.ts";
import { savedPlan } from "../../../src/model/plans/saved-plan.ts";
import { withTable } from "../../support/plan-tables.ts";
import { writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { DapClient, Refused } from "../../session/debug/dap/client.ts";
import { A64, el2In, imageOf, type Outcome, SYSTEM_OFF } from "./program.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** Writes "x" to the PL011 of a VM, and turns the VM off. */
const WRITER = [0xd2a12000, 0x52800f01, 0xb9000001, ...A64.loadW0(SYSTEM_OFF), A64.hvc];

interface Place {
  /** The stranger's. */
  readonly folder: string;
  /** A file of the user, and another folder of the user. */
  readonly secret: string;
  readonly home: string;
  readonly run: (...args: string[]) => Promise<Outcome>;
}

/** Does `work` in a stranger's folder, and checks that the user's files are as they were. */
async function atStrangers(work: (place: Place) => Promise<void>): Promise<void> {
  await inFolder(async (top) => {
    const home = `${top}/home`, folder = `${top}/stranger`, secret = `${home}/secret.bin`;
    for (const each of [home, folder, `${folder}/own`, `${top}/state`, `${top}/run`]) Deno.mkdirSync(each, { mode: 0o700 });
    // A kernel, and the variables of firmware, by their form.
    Deno.writeFileSync(secret, imageOf(WRITER));
    Deno.truncateSync(secret, 2 << 20);
    const before = Deno.readFileSync(secret);
    Deno.writeFileSync(`${folder}/guest.bin`, imageOf(WRITER));
    Deno.writeFileSync(`${folder}/bios.bin`, new Uint8Array(64).fill(1));
    Deno.writeFileSync(`${folder}/disk.img`, new Uint8Array(4096));
    Deno.symlinkSync(secret, `${folder}/link.bin`);
    Deno.symlinkSync(home, `${folder}/linked`);
    Deno.symlinkSync(`${home}/made.log`, `${folder}/away.log`);
    const env = { XDG_RUNTIME_DIR: `${top}/run`, XDG_STATE_HOME: `${top}/state`, EL2_CACHE: `${top}/cache` };
    await work({ folder, secret, home, run: (...args) => el2In(folder, env, ...args) });
    assert.deepEqual(Deno.readFileSync(secret), before);
    assert.deepEqual([...Deno.readDirSync(home)].map(({ name }) => name), ["secret.bin"]);
  });
}

/** Keys of a VM, and the resource for which consent is asked. */
const vm = (keys: string) => `el2 = 1\n[machine]\nmemory = "256MiB"\n[vm.a]\nmemory = "16MiB"\n${keys}`;
const device = (text: string) => vm(`image = "guest.bin"\ndevices = [{ ${text} }]\n`);
type Asked = (place: Place) => { readonly text: string; readonly asks: string };

const CONFIGURATIONS: Readonly<Record<string, Asked>> = {
  "an image elsewhere": ({ secret }) => ({ text: vm(`image = "${secret}"\n`), asks: `file ${secret} (ro)` }),
  "a path with ..": () => ({ text: vm('image = "../home/secret.bin"\n'), asks: "/../home/secret.bin (ro)" }),
  "a link that leads out": ({ secret }) => ({ text: vm('image = "link.bin"\n'), asks: `/link.bin -> ${Deno.realPathSync(secret)} (ro)` }),
  "a folder that leads out": ({ secret }) => ({
    text: vm('image = "linked/secret.bin"\n'),
    asks: `/linked/secret.bin -> ${Deno.realPathSync(secret)} (ro)`,
  }),
  "a log by a link": ({ secret }) => ({
    text: device('kind = "pl011", log = "link.bin"'),
    asks: `/link.bin -> ${Deno.realPathSync(secret)}, .1 and .2 (rw)`,
  }),
  "a log by a link to a file that is not there": ({ home }) => ({
    text: device('kind = "pl011", log = "away.log"'),
    asks: `/away.log -> ${Deno.realPathSync(home)}/made.log, .1 and .2 (rw)`,
  }),
  "a recording by a link": ({ secret }) => ({
    text: `machine.record = "link.bin"\n${vm('image = "guest.bin"\n').replace("[machine]\n", "machine.")}`,
    asks: `/link.bin -> ${Deno.realPathSync(secret)} (rw)`,
  }),
  "firmware's variables by a link": ({ secret }) => ({
    text: vm('platform = "qemu-virt"\nbios = "bios.bin"\nbios_vars = "link.bin"\n'),
    asks: `/link.bin -> ${Deno.realPathSync(secret)} (rw)`,
  }),
  "a disk by a link": ({ secret }) => ({
    text: device('kind = "block", image = "link.bin"'),
    asks: `/link.bin -> ${Deno.realPathSync(secret)} (rw)`,
  }),
  "a folder by a link": ({ home }) => ({
    text: device('kind = "9p", folder = "linked"'),
    asks: `/linked -> ${Deno.realPathSync(home)} (rw)`,
  }),
  "a socket by a link": ({ home }) => ({
    text: device('kind = "vsock", path = "linked/socket"'),
    asks: `/linked/socket -> ${Deno.realPathSync(home)}/socket (rw)`,
  }),
  "a capture by a link": ({ secret }) => ({
    text: device('kind = "net", backend = "none", capture = "link.bin"'),
    asks: `/link.bin -> ${Deno.realPathSync(secret)} (rw)`,
  }),
  "a ramdisk elsewhere": ({ secret }) => ({
    text: `el2 = 1\n[host]\nkind = "image"\nimage = "guest.bin"\ninitrd = "${secret}"\n`,
    asks: `file ${secret} (ro)`,
  }),
  "a recording": ({ secret }) => ({
    text: `machine.record = "${secret}"\n${vm('image = "guest.bin"\n').replace("[machine]\n", "machine.")}`,
    asks: `recording ${secret} (rw)`,
  }),
  "a log": ({ secret }) => ({ text: device(`kind = "pl011", log = "${secret}"`), asks: `log ${secret}, .1 and .2 (rw)` }),
  "a log in the own folder": () => ({ text: device('kind = "pl011", log = "own/log"'), asks: "/own/log, .1 and .2 (rw)" }),
  "firmware's variables": ({ secret }) => ({
    text: vm(`platform = "qemu-virt"\nbios = "bios.bin"\nbios_vars = "${secret}"\n`),
    asks: `firmware variables ${secret} (rw)`,
  }),
  "a disk that is written": ({ secret }) => ({ text: device(`kind = "block", image = "${secret}"`), asks: `disk ${secret} (rw)` }),
  "an own disk that is written": () => ({ text: device('kind = "block", image = "disk.img"'), asks: "/disk.img (rw)" }),
  "a disk that is read": ({ secret }) => ({
    text: device(`kind = "block", image = "${secret}", mode = "ro"`),
    asks: `disk ${secret} (ro)`,
  }),
  "a disk below an overlay": ({ secret }) => ({
    text: device(`kind = "block", image = "${secret}", mode = "overlay"`),
    asks: `disk ${secret} (ro)`,
  }),
  "a folder": ({ home }) => ({ text: device(`kind = "9p", folder = "${home}"`), asks: `folder ${home} (rw)` }),
  "a folder that is read": ({ home }) => ({ text: device(`kind = "9p", folder = "${home}", mode = "ro"`), asks: `folder ${home} (ro)` }),
  "an own folder that is written": () => ({ text: device('kind = "9p", folder = "own"'), asks: "/own (rw)" }),
  "a socket": () => ({ text: device('kind = "vsock", path = "own/socket"'), asks: "socket " }),
  "a capture": ({ secret }) => ({ text: device(`kind = "net", backend = "none", capture = "${secret}"`), asks: `capture ${secret} (rw)` }),
  "this computer": () => ({ text: device('kind = "net", host = true'), asks: "the network (internet=yes lan=no host=yes)" }),
  "the local network": () => ({ text: device('kind = "net", lan = true'), asks: "the network (internet=yes lan=yes host=no)" }),
  "an address": () => ({ text: device('kind = "net", allow = ["10.1.2.3:80"]'), asks: "the network (" }),
  "a port": () => ({ text: device('kind = "net", forward = ["2222:22"]'), asks: "tcp port 2222 of 127.0.0.1" }),
};

const NEVER = hostConsent([], () => false);

/** The message of a refusal. */
async function refusal(work: Promise<unknown>, name: string): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Failure || error instanceof Refused)) throw error;
    assert.match(error.message, /; (allow them with --allow-host PATH|start el2 mcp --allow-host )/, `${name}: ${error.message}`);
    return error.message;
  }
  throw new Error(`${name}: nothing was asked`);
}

for (const [name, asked] of Object.entries(CONFIGURATIONS)) {
  Deno.test(`a configuration needs consent for ${name}`, () =>
    atStrangers(async (place) => {
      const { text, asks } = asked(place), file = `${place.folder}/el2.toml`;
      await Deno.writeTextFile(file, text);
      const message = await refusal(plannedOf(file, { consent: NEVER }), name);
      assert.ok(message.startsWith(`configuration ${file}: its machine needs host resources: `) && message.includes(asks), message);
      // Consent is to a list: the same configuration is planned with it.
      assert.ok((await plannedOf(file, { consent: hostConsent(["all"]) })).plan.what);
    }));
}

Deno.test("a configuration reads its own folder and uses the network as a card does by default, unasked", () =>
  atStrangers(async ({ folder }) => {
    const own = [
      vm('image = "guest.bin"\n'),
      vm('image = "./own/../guest.bin"\n'),
      device('kind = "block", image = "disk.img", mode = "overlay"'),
      device('kind = "block", image = "disk.img", mode = "ro"'),
      device('kind = "9p", folder = "own", mode = "ro"'),
      device('kind = "net"'),
      device('kind = "net", internet = false, deny = ["10.0.0.0/8"]'),
      device('kind = "vsock"'),
    ];
    for (const text of own) {
      await Deno.writeTextFile(`${folder}/el2.toml`, text);
      assert.ok((await plannedOf(`${folder}/el2.toml`, { consent: NEVER })).plan, text);
    }
  }));

Deno.test("what the user types needs no consent, what a file adds to it does; a folder that is allowed has its files", () =>
  atStrangers(async ({ folder, secret, home }) => {
    const file = `${folder}/el2.toml`, set = `vm.a.image=${secret}`;
    await Deno.writeTextFile(file, vm('image = "guest.bin"\n'));
    assert.ok((await plannedOf(file, { consent: NEVER }, [set])).plan);
    assert.ok((await plannedOf(secret, { consent: NEVER })).plan);
    await Deno.writeTextFile(file, device('kind = "pl011", log = "own/log"'));
    assert.match(
      await refusal(plannedOf(file, { consent: NEVER }, [set]), "typed"),
      /needs host resources: log [^,]*, \.1 and \.2 \(rw\); allow/,
    );
    await Deno.writeTextFile(file, device(`kind = "block", image = "${secret}"`));
    for (const allowed of [secret, home, "all"]) {
      assert.ok((await plannedOf(file, { consent: hostConsent([allowed], () => false) })).plan, allowed);
    }
    // The option names a place: links of the stranger's are not followed.
    for (const allowed of [folder, "net", `${home}/other`, `${folder}/linked`, `${folder}/link.bin`]) {
      await refusal(plannedOf(file, { consent: hostConsent([allowed], () => false) }), allowed);
    }
  }));

/** Devices of a plan in a file, what they ask for in a snapshot, and whether a replay uses them. */
const PLANS: readonly (readonly [name: string, device: (place: Place) => DevicePlan, asks: string, replayed: boolean])[] = [
  ["a disk", ({ secret }) => ({ kind: "block", image: secret, mode: "ro" }), "disk ", true],
  ["a disk below an overlay", ({ secret }) => ({ kind: "block", image: secret, mode: "overlay" }), "disk ", true],
  ["a disk by a link", ({ folder }) => ({ kind: "block", image: `${folder}/link.bin`, mode: "ro" }), "/home/secret.bin (ro)", true],
  ["a folder", ({ home }) => ({ kind: "9p", folder: home, mode: "rw", tag: "t" }), "folder ", false],
  ["a folder that is read", ({ home }) => ({ kind: "9p", folder: home, mode: "ro", tag: "t" }), "folder ", false],
  ["a socket", ({ folder }) => ({ kind: "vsock", cid: 3, path: `${folder}/socket` }), "socket ", false],
  ["a capture", ({ secret }) => ({ kind: "net", backend: "none", forward: [], capture: secret }), "capture ", false],
  ["a port", () => ({ kind: "net", backend: "none", forward: [{ protocol: "tcp", host: 2222, guest: 22 }] }), "tcp port ", false],
  [
    "the local network",
    () => ({ kind: "net", backend: "user", forward: [], policy: { host: false, lan: true, internet: true, allow: [], deny: [] } }),
    "the network (",
    false,
  ],
];

function bootOf(devices: readonly DevicePlan[]): SessionPlan {
  const what = { kind: "boot", image: imageOf(WRITER), initrd: undefined, dtb: undefined, append: undefined, devices } as const;
  return withTable({ cpus: 1, memory: 64 << 20, seed: 1, turbo: true, what });
}

const BARE = bootOf([]);
const saved = (() => {
  const system = assemble(BARE), snapshot = snapshotOf(system, BARE, "x");
  system.outside.close();
  return snapshot;
})();

for (const [name, deviceOf, asks, replayed] of PLANS) {
  Deno.test(`a snapshot and a recording need consent for ${name}`, () =>
    atStrangers(async (place) => {
      const file = `${place.folder}/a.snap`, recording = `${place.folder}/a.rec`, plan = bootOf([deviceOf(place)]);
      for (const _done of writeSnapshot(file, { ...saved, saved: savedPlan(plan, "machine") }));
      assert.ok((await refusal(planOfSnapshot(file, NEVER), name)).includes(asks));
      assert.ok(await planOfSnapshot(file, hostConsent(["all"])));
      await Deno.writeTextFile(recording, await recordingHeader(plan));
      // A replay has no connections: it reads disks alone.
      if (!replayed) return assert.ok(await readNamedRecording(recording, NEVER));
      assert.ok((await refusal(readNamedRecording(recording, NEVER), name)).includes(asks));
    }));
}

Deno.test("snapshots and recordings read disks of their own folder unasked; a plan with another form is refused", () =>
  atStrangers(async ({ folder }) => {
    const plan = bootOf([{ kind: "block", image: `${folder}/disk.img`, mode: "overlay" }]);
    for (const _done of writeSnapshot(`${folder}/a.snap`, { ...saved, saved: savedPlan(plan, "machine") }));
    await Deno.writeTextFile(`${folder}/a.rec`, await recordingHeader(plan));
    assert.ok(await planOfSnapshot(`${folder}/a.snap`, NEVER) && await readNamedRecording(`${folder}/a.rec`, NEVER));
    for (const wrong of [{ kind: "block", image: 5, mode: "ro" }, { kind: "block", image: ["/x"], mode: "ro" }, { kind: "tape" }]) {
      const other = bootOf([wrong as unknown as DevicePlan]);
      for (const _done of writeSnapshot(`${folder}/a.snap`, { ...saved, saved: savedPlan(other, "machine") }));
      await Deno.writeTextFile(`${folder}/a.rec`, await recordingHeader(other));
      await assert.rejects(planOfSnapshot(`${folder}/a.snap`, NEVER), /its plan does not make a machine/);
      await assert.rejects(readNamedRecording(`${folder}/a.rec`, NEVER), /its plan does not make a machine/);
    }
  }));

/** The first step of a scenario in the stranger's folder, and what it asks for. */
const SCENARIOS: Readonly<Record<string, (place: Place) => readonly [step: string, asks: string]>> = {
  "an image elsewhere": ({ secret }) => [`boot = { image = "${secret}" }`, `file ${secret} (ro)`],
  "an image by a link": () => ['boot = { image = "link.bin" }', "/home/secret.bin (ro)"],
  "a ramdisk elsewhere": ({ secret }) => [`boot = { image = "guest.bin", initrd = "${secret}" }`, `file ${secret} (ro)`],
  "a root elsewhere": ({ home }) => [`boot = { image = "guest.bin", root = "${home}" }`, `folder ${home} (ro)`],
  "an overlay elsewhere": (
    { home },
  ) => [`boot = { image = "guest.bin", initrd = "guest.bin", overlay = { "/x" = "${home}" } }`, `folder ${home} (ro)`],
  "a guest elsewhere": ({ secret }) => [`boot = "${secret}"`, `file ${secret} (ro)`],
  "a configuration elsewhere": () => ['boot = "../other.toml"', "configuration "],
  "what it sets": ({ secret }) => [`boot = "el2.toml"\nset = ["vm.a.symbols=${secret}"]`, `file ${secret} (ro)`],
  "its configuration's disk": () => ['boot = "disk.toml"', "/disk.img (rw)"],
};

const WRONG: Readonly<Record<string, RegExp>> = { "what it sets": /symbols/, "a root elsewhere": /it has no \/bin\/sh/ };

for (const [name, of] of Object.entries(SCENARIOS)) {
  Deno.test(`a scenario needs consent for ${name}`, () =>
    atStrangers(async (place) => {
      const { folder } = place, [step, asks] = of(place), file = `${folder}/a.test.toml`;
      await Deno.writeTextFile(`${folder}/el2.toml`, vm('image = "guest.bin"\n'));
      await Deno.writeTextFile(`${folder}/disk.toml`, device('kind = "block", image = "disk.img"'));
      await Deno.writeTextFile(`${folder}/../other.toml`, vm('image = "stranger/guest.bin"\n'));
      const scenario = readScenario(file, `el2_test = 1\n[[step]]\n${step}\n`);
      const plan = (consent = NEVER) => planScenario(scenario, undefined, consent);
      // A file or a folder that is wrong is refused once it may be read.
      const wrong = WRONG[name];
      if (wrong === undefined) assert.ok(await plan(hostConsent(["all"])));
      else await assert.rejects(plan(hostConsent(["all"])), wrong);
      const message = await refusal(plan(), name);
      assert.ok(message.startsWith(`scenario ${file}: `) && message.includes(asks), message);
    }));
}

Deno.test("a scenario's machine has no connections, so that its configuration's logs and folders need no consent", () =>
  atStrangers(async ({ folder, home }) => {
    await Deno.writeTextFile(`${folder}/el2.toml`, device(`kind = "9p", folder = "${home}" }, { kind = "pl011", log = "own/log"`));
    const scenario = readScenario(`${folder}/a.test.toml`, 'el2_test = 1\n[[step]]\nboot = "el2.toml"\n');
    assert.ok(await planScenario(scenario, undefined, NEVER));
  }));

/** A launch request, and what it asks for; the working folder is that of the tests. */
const LAUNCHES: Readonly<Record<string, (place: Place) => readonly [request: object, asks: string]>> = {
  "an image elsewhere": ({ secret }) => [{ boot: secret }, "file "],
  "a ramdisk elsewhere": ({ secret }) => [{ boot: "assets/guests/hello.bin", initrd: secret }, "file "],
  "a guest elsewhere": ({ secret }) => [{ what: secret }, "file "],
  "a configuration elsewhere": ({ folder }) => [{ what: `${folder}/el2.toml` }, "configuration "],
  "a snapshot elsewhere": ({ folder }) => [{ what: `${folder}/a.snap` }, "snapshot "],
};

for (const [name, of] of Object.entries(LAUNCHES)) {
  Deno.test(`a launch request of an editor needs consent for ${name}`, () =>
    atStrangers(async (place) => {
      const [request, asks] = of(place);
      await Deno.writeTextFile(`${place.folder}/el2.toml`, vm('image = "guest.bin"\n'));
      for (const _done of writeSnapshot(`${place.folder}/a.snap`, saved));
      await using client = DapClient.inProcess([]);
      await client.ask("initialize", { adapterID: "el2" });
      const message = await refusal(client.ask("launch", request), name);
      assert.ok(message.includes(`launch request .: its machine needs host resources: ${asks}`), message);
    }));
}

/** Texts of tools for agents that name no file. */
const NO_PATHS = ("about address append arguments at by code columns event expect expression fields filter for hex id if inject " +
  "kinds mark matching memory name object payload remove rule section send session size start target task timeout to type until value vm what")
  .split(" ");

Deno.test("each argument of a tool for agents that names a file is one of the working folder, or allowed", () =>
  atStrangers(async ({ secret, home }) => {
    const tools = toolsOf(commandTree(makeProgram(new URL(import.meta.url), () => {})), true);
    let tried = 0;
    const texts = new Set<string>();
    for (const { name, args, call } of tools) {
      for (const [argument, { kind, many }] of Object.entries(args)) {
        if (kind.offers !== "files") {
          if (kind.schema.type === "string" && !kind.choices && typeof kind.offers !== "object") texts.add(argument);
          continue;
        }
        tried++;
        const others = Object.entries(args).filter(([other, { required }]) => required && other !== argument);
        const given = { ...Object.fromEntries(others.map(([other]) => [other, "x"])), [argument]: many ? [secret] : secret };
        const started: (readonly string[])[] = [];
        const el2 = (words: readonly string[]) => Promise.resolve((started.push(words), { text: "", failed: false }));
        assert.match(
          await refusal((async () => await call(given, { el2, host: [], signal: new AbortController().signal }))(), name),
          /outside the working folder/,
        );
        assert.deepEqual(started, [], name);
        const allowed = await (async () => await call(given, { el2, host: [home], signal: new AbortController().signal }))();
        assert.deepEqual([allowed.failed, started.length > 0], [false, true], name);
      }
    }
    assert.ok(tried >= 18, `${tried}`);
    assert.deepEqual([...texts].sort(), NO_PATHS, "declare an argument that names a file with the kind `file`, or list it");
  }));

Deno.test("what a stranger's machine would write it writes only with consent: by each command", () =>
  atStrangers(async ({ folder, run }) => {
    const log = `${folder}/own/log`, exists = () => [...Deno.readDirSync(`${folder}/own`)].length > 0;
    await Deno.writeTextFile(`${folder}/el2.toml`, device('kind = "pl011", log = "own/log"'));
    const commands: readonly (readonly string[])[] = [
      [],
      ["run", "el2.toml", "--headless", "--for", "1ms"],
      ["up", "el2.toml", "--name", "s"],
      ["screenshot", "own/a.txt", "--run", "el2.toml"],
    ];
    for (const command of commands) {
      const { code, stderr } = await run(...command);
      assert.equal(code, 2, command.join(" "));
      assert.match(
        stderr,
        /el2\.toml: its machine needs host resources: log \S*own\/log, \.1 and \.2 \(rw\); allow them with --allow-host PATH/,
      );
      assert.equal(exists(), false, command.join(" "));
    }
    // Its machine has no connections: nothing is asked, and nothing written.
    assert.equal((await run("trace", "calls", "el2.toml")).code, 0);
    assert.equal(exists(), false);
    const { code, stderr } = await run("run", "el2.toml", "--headless", "--for", "10ms", "--allow-host", "own");
    assert.equal(code, 0, stderr);
    assert.equal(await Deno.readTextFile(log), "x");
  }));

Deno.test("a terminal asks once per content: no is the default, yes is remembered until file or place change", () =>
  atStrangers(async ({ folder, home, run }) => {
    const file = `${folder}/el2.toml`, before = Deno.env.get("XDG_STATE_HOME");
    await Deno.writeTextFile(file, device('kind = "pl011", log = "own/log"'));
    const asked: string[] = [];
    const plan = (answer: boolean) => plannedOf(file, { consent: hostConsent([], (text) => (asked.push(text), answer)) });
    Deno.env.set("XDG_STATE_HOME", `${folder}/../state`);
    try {
      await refusal(plan(false), "no");
      await plan(true);
      await plan(false);
      assert.equal(asked.length, 2);
      assert.match(asked[1], /^configuration .*el2\.toml: its machine needs host resources:\n {2}log .*own\/log, \.1 and \.2 \(rw\)$/);
      // The process of a session reads what the terminal's process has remembered.
      assert.equal((await run("run", "el2.toml", "--headless", "--for", "1ms")).code, 0);
      Deno.removeSync(`${folder}/own`, { recursive: true });
      Deno.symlinkSync(home, `${folder}/own`);
      await refusal(plan(false), "the folder leads elsewhere by now");
      assert.equal((await run("run", "el2.toml", "--headless", "--for", "1ms")).code, 2);
      Deno.removeSync(`${folder}/own`);
      Deno.mkdirSync(`${folder}/own`);
      await plan(false);
      await Deno.writeTextFile(file, `${device('kind = "pl011", log = "own/log"')}# changed\n`);
      await refusal(plan(false), "another content");
    } finally {
      if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
      else Deno.env.set("XDG_STATE_HOME", before);
    }
  }));

Deno.test("a file elsewhere is not looked at before there is consent: neither its form nor whether it exists is told", () =>
  atStrangers(async ({ folder, secret, home }) => {
    const boot = (key: string, path: string) => `el2 = 1\n[host]\nkind = "image"\nimage = "guest.bin"\n${key} = "${path}"\n`;
    const texts = (path: string) => [
      ...["dtb", "initrd", "symbols"].map((key) => boot(key, path)),
      ...["image", "kernel", "dtb", "symbols"].map((key) =>
        vm(key === "image" ? `image = "${path}"\n` : `image = "guest.bin"\n${key} = "${path}"\n`)
      ),
      device(`kind = "block", image = "${path}", mode = "ro"`),
      device(`kind = "9p", folder = "${path}", mode = "ro"`),
      device(`kind = "pl011", log = "${path}"`),
      device(`kind = "pl011", log = "${path}/log"`),
    ];
    const said: string[][] = [];
    for (const path of [secret, home, `${home}/none`]) {
      said.push([]);
      for (const text of texts(path)) {
        await Deno.writeTextFile(`${folder}/el2.toml`, text);
        let message = "";
        await plannedOf(`${folder}/el2.toml`, { consent: NEVER }).catch((error) => message = String(error));
        said.at(-1)!.push(message.replaceAll(path, "PATH"));
      }
    }
    assert.deepEqual(said[1], said[0]);
    assert.deepEqual(said[2], said[0]);
    await Deno.writeTextFile(`${folder}/a.test.toml`, 'el2_test = 1\n[[step]]\nboot = "../none.toml"\n');
    const scenario = readScenario(`${folder}/a.test.toml`, Deno.readTextFileSync(`${folder}/a.test.toml`));
    assert.match(await refusal(planScenario(scenario, undefined, NEVER), "none"), /needs host resources: configuration /);
  }));

Deno.test("texts of a file stay in their line of a question and of an error, written ones come first, and twenty are shown", () =>
  atStrangers(async ({ folder }) => {
    const file = `${folder}/el2.toml`, evil = "/none/a (ro)\\nel2: allowed\\u202e";
    const asked: string[] = [];
    const plan = () => plannedOf(file, { consent: hostConsent([], (text) => (asked.push(text), false)) });
    await Deno.writeTextFile(file, device(`kind = "pl011", log = "${evil}"`));
    const message = await refusal(plan(), "a line break");
    assert.deepEqual(message.split("\n").length, 1);
    assert.match(message, /log \/none\/a \(ro\)\^Jel2: allowed<U\+202E>, \.1 and \.2 \(rw\)/);
    assert.deepEqual(asked[0].split("\n").length, 2);
    await assert.rejects(plannedOf(file, { consent: hostConsent(["all"]) }), (error: Error) => !error.message.includes("\n"));
    const reads = Array.from({ length: 50 }, (_, index) => `{ kind = "block", image = "/none/${index}", mode = "ro" }`);
    const many = vm(`image = "guest.bin"\ndevices = [${reads.slice(0, 14).join(", ")}, { kind = "pl011", log = "own/log" }]\n`);
    await Deno.writeTextFile(file, `${many}[vm.b]\nmemory = "16MiB"\nimage = "guest.bin"\ndevices = [${reads.slice(14, 29).join(", ")}]\n`);
    asked.length = 0;
    await refusal(plan(), "many");
    const lines = asked[0].split("\n").slice(1);
    assert.equal(lines.length, 21);
    assert.match(lines[0], /^ {2}log .*own\/log/);
    assert.equal(lines.at(-1), "  and 10 others");
  }));
