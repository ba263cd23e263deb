// Runs that are recorded by the command line (docs/design/checklist.md, W56, and
// docs/design/decisions.md §3).

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { catalogEntry } from "../../../../../src/app/catalog/catalog.ts";
import { TIERS } from "../../../../../src/model/plans/plan.ts";
import { Random } from "../../../../support/random.ts";
import { assemble } from "../../../../../src/session/assembly/assemble.ts";
import { plannedRecording } from "../../../../../src/app/cli/start/plans/saved-plans.ts";
import { writeSnapshot } from "../../../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../../../src/session/snapshots/save.ts";
import { ConsoleProgram } from "../../../../support/console.ts";
import { el2Command } from "../../../../support/el2.ts";
import { demoPlan, runTo } from "../../../../session/snapshots/systems.ts";
import { el2, el2With } from "../../program.ts";

import { DEMO, SECONDS } from "../recordings.ts";
import { eventually } from "../../../../support/eventually.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { END_CODES } from "../../../../../src/kit/support/computer/signals.ts";
import { LONG, longTest } from "../../../../support/long.ts";

Deno.test("W56: diff A A is 0; two seeds are 1, and the first difference is named", () =>
  inFolder(async (folder) => {
    const [a, b] = [`${folder}/a.rec`, `${folder}/b.rec`];
    const recorded = await el2("run", "--record", a, DEMO, "--for", "100ms");
    assert.equal(recorded.code, 0);
    assert.ok(recorded.stderr.endsWith(`el2: recorded ${a}; el2 replay ${a} repeats the run\n`), recorded.stderr);
    assert.equal(
      (await el2("run", "--record", b, DEMO, "--for", "100ms", "--set", "machine.seed=2", "--set", "machine.cap_ids=random")).code,
      0,
    );
    const same = await el2("diff", a, a);
    assert.equal(same.code, 0, same.stderr);
    assert.match(same.stdout, /^the runs are equal: \d+ instructions$/m);
    const other = await el2("diff", a, b, "--json");
    assert.equal(other.code, 1, other.stderr + other.stdout);
    const { difference } = JSON.parse(other.stdout);
    assert.match(difference.insn, /^\d+$/);
    assert.equal(difference.ns.length, 2);
  }));

Deno.test("a run from a snapshot is recorded with it, and replays when the snapshot is gone", () =>
  inFolder(async (folder) => {
    const [snapshot, file] = [`${folder}/demo.snap`, `${folder}/demo.rec`];
    const plan = await demoPlan();
    const system = assemble(plan);
    runTo(system, 300_000);
    for (const _done of writeSnapshot(snapshot, snapshotOf(system, plan, "demo")));
    const run = await el2("snapshot", "load", snapshot, "--record", file, "--headless", "--turbo", "--for", "2s");
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^hello\| tick 1$/m);
    await Deno.remove(snapshot);
    assert.ok(!(await Deno.readTextFile(file)).includes(folder));
    for (const tier of LONG ? TIERS : ["interp"]) {
      const replayed = await el2("replay", file, "--verify", "--tier", tier);
      assert.equal(replayed.code, 0, replayed.stderr);
      assert.equal(replayed.stdout, run.stdout);
    }
    assert.equal((await el2("diff", file, file)).code, 0);
  }));

longTest(
  "a session that began with a snapshot is recorded with it, even if the file has been overwritten",
  () =>
    inFolder(async (folder) => {
      const [snapshot, file] = [`${folder}/demo.snap`, `${folder}/demo.rec`], env = { XDG_RUNTIME_DIR: folder };
      const plan = await demoPlan();
      const system = assemble(plan);
      runTo(system, 300_000);
      for (const _done of writeSnapshot(snapshot, snapshotOf(system, plan, "demo")));
      const up = await el2With(env, "up", snapshot, "--name", "s");
      assert.equal(up.code, 0, up.stderr);
      try {
        const saved = await el2With(env, "snapshot", "save", snapshot, "--session", "s");
        assert.equal(saved.code, 0, saved.stderr);
        const recorded = await el2With(env, "record", file);
        assert.equal(recorded.code, 0, recorded.stderr);
      } finally {
        await el2With(env, "down", "s");
      }
      const replayed = await el2("replay", file, "--verify");
      assert.equal(replayed.code, 0, replayed.stderr);
    }),
);

Deno.test("a session of a configuration that says record is recorded with the plan that runs; trace calls records nothing", () =>
  inFolder(async (folder) => {
    const config = `${folder}/c.toml`, file = `${folder}/c.rec`;
    await Deno.copyFile(new URL("../../../../../assets/guests/hello.bin", import.meta.url), `${folder}/hello.bin`);
    await Deno.writeTextFile(config, 'el2 = 1\n[machine]\nrecord = "c.rec"\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
    assert.equal((await el2("trace", "calls", config, "--vm", "rm", "--for", "100ms")).code, 0);
    await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
    // Which VM has which capability is guest-visible, so that the run is another one where the
    // recording lacks an option of `up`.
    const options = ["--allow-host", folder, "--turbo", "--set", "machine.cap_ids=random", "--tier", "interp"];
    const session = async (...args: string[]) => {
      const { code, stderr } = await el2With({ XDG_RUNTIME_DIR: folder }, ...args);
      assert.equal(code, 0, stderr);
    };
    await session("up", config, "--name", "r", ...options);
    await session("down", "r");
    const { plan: { table, run } } = JSON.parse((await Deno.readTextFile(file)).split("\n")[0]);
    assert.deepEqual([run.turbo, run.tier, table.keys.machine.cap_ids], [true, "interp", "random"]);
    const replayed = await el2("replay", file, "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
  }));

Deno.test("a recording keeps what a guest may reach by its network: the machine of a replay has the same policy", () =>
  inFolder(async (folder) => {
    const config = `${folder}/c.toml`, file = `${folder}/c.rec`;
    await Deno.copyFile(new URL("../../../../../assets/guests/hello.bin", import.meta.url), `${folder}/hello.bin`);
    const policy = 'host = true, internet = false, allow = ["10.0.0.5:8080", "[2001:db8::7]:443"], deny = ["fd00::/8", "10.9.0.0/16"]';
    await Deno.writeTextFile(
      config,
      `el2 = 1\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\ndevices = [{ kind = "net", backend = "user", ${policy} }, { kind = "net", backend = "user" }]\n`,
    );
    const run = await el2("run", "--record", file, config, "--allow-host", "net", "--headless", "--turbo", "--for", "100ms");
    assert.equal(run.code, 0, run.stderr);
    const { plan, ...recording } = await plannedRecording(file);
    const reach = (system: ReturnType<typeof assemble>) => {
      while (system.machine.time < 50e6 && system.machine.run(50e6, 64).kind !== "stopped") {
        system.machine.skipTo(system.machine.boundary + 1e6);
      }
      const { rows, error } = system.inspector.answer({ table: "vm.devices", args: { vm: "vm:a" } });
      assert.equal(error, undefined);
      return rows.map((row) => row.reach).filter((text) => text !== null);
    };
    const shown = [
      "internet=no lan=no host=yes allow=10.0.0.5/32:8080 allow=[2001:db8::7]/128:443 deny=fd00::/8 deny=10.9.0.0/16",
      "internet=yes lan=no host=no",
    ];
    assert.deepEqual(reach(assemble(plan)), shown);
    assert.deepEqual(reach(assemble({ ...plan, replay: { recording, verify: true, to: undefined } })), shown);
    assert.equal((await el2("replay", file, "--verify")).code, 0);
  }));

/** Signals that end a run in order; SIGTERM is tried with the full numbers. */
const ENDS = [["SIGINT", "interrupted"], ...LONG ? [["SIGTERM", "ended by SIGTERM"]] as const : []] as const;

Deno.test("a run that the user ends is recorded completely: ctrl-C, kill, --timeout", () =>
  inFolder(async (folder) => {
    const file = `${folder}/ended.rec`;
    const verified = async () => {
      const { code, stderr } = await el2("replay", file, "--verify");
      assert.equal(code, 0, stderr);
      await Deno.remove(file);
    };
    for (const [signal, message] of ENDS) {
      const [program, ...args] = el2Command("run", DEMO, "--record", file);
      await using child = new ConsoleProgram([program, ...args]);
      await child.expect(/tick 1/, SECONDS);
      child.kill(signal);
      const { code, stderr } = await child.end();
      assert.equal(code, END_CODES[signal]);
      assert.equal(stderr.trim(), `el2: ${message}\nel2: recorded ${file}; el2 replay ${file} repeats the run`);
      await verified();
    }
    // On a busy computer a machine takes longer to begin.
    for (const seconds of [2, 30, 120]) {
      const { code, stderr } = await el2("run", DEMO, "--record", file, "--timeout", `${seconds}s`);
      assert.equal(code, 4);
      if (stderr.includes("the machine got to")) break;
    }
    await verified();
  }));

Deno.test("a run is recorded completely when nobody reads what it prints any more, or can: a closed pipe, full disks", () =>
  inFolder(async (folder) => {
    for (const to of ["| head -n 1", ...LONG ? [">/dev/full"] : [], ">/dev/full 2>/dev/full"]) {
      const file = `${folder}/demo.rec`;
      const shell = ["-c", `"$@" ${to}`, "sh", ...el2Command("run", DEMO, "--headless", "--turbo", "--for", "2s", "--record", file)];
      await new Deno.Command("/bin/sh", { args: shell, env: { NO_COLOR: "1" }, stdin: "null", stdout: "null", stderr: "null" }).output();
      assert.match(await Deno.readTextFile(file), /\{"sha256".*\}\n$/, to);
    }
  }));

Deno.test("a session in the background is recorded completely, however it ends; a terminal that goes away does not end it", () =>
  inFolder(async (folder) => {
    const config = `${folder}/c.toml`, file = `${folder}/c.rec`;
    await Deno.copyFile(new URL("../../../../../assets/guests/hello.bin", import.meta.url), `${folder}/hello.bin`);
    await Deno.writeTextFile(config, 'el2 = 1\n[machine]\nrecord = "c.rec"\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
    const env = { XDG_RUNTIME_DIR: folder };
    const session = async (...args: string[]) => {
      const { code, stderr } = await el2With(env, ...args);
      assert.equal(code, 0, stderr);
    };
    const cases: readonly { readonly prepare: readonly string[]; readonly signal?: "SIGTERM" }[] = [
      { prepare: ["vm", "ls"], signal: "SIGTERM" },
      { prepare: ["back", "--by", "2000"] },
      ...LONG ? [{ prepare: ["vcpu", "step", "a/0"] }] : [],
    ];
    for (const { prepare, signal } of cases) {
      const [program, ...args] = el2Command("background", config, "--name", "r", "--allow-host", folder);
      const server = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null", env }).spawn();
      await eventually(() => el2With(env, "show", "vm:a"), ({ code }) => code === 0);
      await session(...prepare);
      server.kill("SIGHUP");
      await session("vm", "ls");
      if (signal) {
        server.kill(signal);
        await server.status;
      } else await session("down", "r");
      // A session that `down` has ended is complete, though its process may exist for a moment
      // more.
      const replayed = await el2("replay", file, "--verify");
      assert.equal(replayed.code, 0, `${prepare.join(" ")}: ${replayed.stderr}`);
      assert.equal((await server.status).code, signal ? END_CODES[signal] : 0);
      await Deno.remove(file);
    }
  }));

Deno.test("diff of recordings that were cut off compares up to the last thing that they say, and says so", () =>
  inFolder(async (folder) => {
    const file = `${folder}/demo.rec`;
    assert.equal((await el2("run", "--record", file, DEMO, "--turbo", "--for", "50ms")).code, 0);
    // Without its end, this run has none.
    const [header] = (await Deno.readTextFile(file)).split("\n");
    const input = { at: 20_000_000, settled: false, input: { kind: "console", console: "hello", bytes: { $bytes: btoa("t") } } };
    await Deno.writeTextFile(file, `${header.replace('"duration":50000000,', "")}\n${JSON.stringify(input)}\n`);
    const outcome = await el2("diff", file, file, "--json");
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(outcome.stderr, /^el2: a recording is truncated, .* compared up to its last entry$/m);
    const { cut, compared, difference } = JSON.parse(outcome.stdout);
    assert.deepEqual([cut, difference], [true, null]);
    assert.ok(Number(compared) > 10_000, compared);
  }));

Deno.test("a run with a disk that is written to, or with gdb, is not recorded, by name", () =>
  inFolder(async (folder) => {
    const disk = `${folder}/disk.img`;
    await Deno.writeFile(disk, new Uint8Array(4096));
    await Deno.copyFile(new URL("../../../../../assets/guests/hello.bin", import.meta.url), `${folder}/hello.bin`);
    const outcome = await el2("boot", `${folder}/hello.bin`, "--disk", disk, "--record", `${folder}/x.rec`);
    assert.equal(outcome.code, 2);
    assert.match(outcome.stderr, /disk .*disk\.img is writable, and would differ at the replay; use --disk .*disk\.img,overlay/);
    assert.match(
      (await el2("run", DEMO, "--gdb", "1", "--record", `${folder}/x.rec`)).stderr,
      /--record and --gdb are mutually exclusive: a debugger's actions are not recorded; give one$/m,
    );
  }));

/**
 * Recorded once by session/recordings/record.ts: registers every 10,000,000 instructions, and
 * everything at the end.
 */
const DEBIAN_RECORDING = new URL("../../../../session/recordings/debian.rec", import.meta.url).pathname;

/** The files that the recording names by hash, if the catalog has exactly these. */
async function recordedImages(): Promise<Map<string, string> | undefined> {
  const text = await Deno.readTextFile(DEBIAN_RECORDING);
  const wanted = [...text.matchAll(/"\$file":"([0-9a-f]{64})"/g)].map(([, hash]) => hash);
  const { folder } = await catalogEntry("debian-bookworm");
  const files = new Map<string, string>();
  for (const path of [`${folder}/Image`, `${folder}/initrd`]) {
    files.set(createHash("sha256").update(await Deno.readFile(path)).digest("hex"), path);
  }
  return wanted.every((hash) => files.has(hash)) ? files : undefined;
}

const images = LONG ? await recordedImages() : undefined;
if (images) {
  Deno.test("a Debian boot with typed input replays from a recording of another day, in every tier", () =>
    inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/recorded`);
      for (const [hash, path] of images) await Deno.symlink(path, `${folder}/recorded/${hash}`);
      for (const tier of TIERS) {
        const [program, ...args] = el2Command("replay", DEBIAN_RECORDING, "--anyway", "--verify", "--tier", tier);
        const outcome = await new Deno.Command(program, { args, stdin: "null", env: { EL2_CACHE: folder, NO_COLOR: "1" } }).output();
        assert.equal(outcome.code, 0, new TextDecoder().decode(outcome.stderr));
        assert.match(new TextDecoder().decode(outcome.stdout), /^42-from-aarch64\r?$/m);
      }
    }));
}

if (LONG) {
  Deno.test("a Debian boot with typed input and HTTP over the NAT replays with equal registers every 10,000,000 instructions in every tier", () =>
    inFolder(async (folder) => {
      const { folder: guest } = await catalogEntry("debian-bookworm");
      const page = new Uint8Array(new Random(9).bytes(200_000));
      await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(page));
      const port = (server.addr as Deno.NetAddr).port;
      const file = `${folder}/debian.rec`;
      const options = ["--append", "console=ttyAMA0", "--memory", "512MiB", "--net", "user,host=yes", "--stdio", "--record", file];
      {
        await using console = new ConsoleProgram(
          el2Command("boot", `${guest}/Image`, "--initrd", `${guest}/initrd-virtio`, ...options),
        );
        await console.expect(/inet 10\.0\.2\.15/, SECONDS);
        await console.type(`wget -q -O- http://10.0.2.2:${port}/ | wc -c; date`);
        await console.expect(/^200000$/m, SECONDS);
        await console.type("poweroff -f");
        assert.equal((await console.end()).code, 0);
      }
      await server.shutdown();
      for (const tier of TIERS) {
        const outcome = await el2("replay", file, "--verify", "--tier", tier);
        assert.equal(outcome.code, 0, outcome.stderr);
        assert.match(outcome.stdout, /^200000$/m);
      }
    }));
}

Deno.test("record FILE writes the run of a session until now, which continues: typed input, a break and all; replay --verify is 0", () =>
  inFolder(async (folder) => {
    const file = `${folder}/session.rec`, env = { XDG_RUNTIME_DIR: folder };
    assert.match((await el2With(env, "record", file)).stderr, /no session/);
    assert.equal((await el2With(env, "up", "demo", "--name", "s")).code, 0);
    try {
      const typed = await el2With(env, "console", "hello", "--break", "--send", "t", "--expect", "ticks, counter", "--timeout", "60s");
      assert.equal(typed.code, 0, typed.stderr);
      const saved = await el2With(env, "record", file);
      assert.equal(saved.code, 0, saved.stderr);
      assert.match(await Deno.readTextFile(file), /"kind":"console\.break","console":"hello"/);
      const replayed = await el2("replay", file, "--verify");
      assert.equal(replayed.code, 0, replayed.stderr);
      assert.match(replayed.stdout, /hello\| .*ticks, counter/);
      assert.match(replayed.stderr, /the run continued/);
      // It continues, and is saved again.
      assert.equal((await el2With(env, "console", "hello", "--send", "e", "--expect", "MPIDR", "--timeout", "60s")).code, 0);
      assert.equal((await el2With(env, "record", file)).code, 0);
      const again = await el2("replay", file, "--verify");
      assert.equal(again.code, 0, again.stderr);
      assert.match((await el2With(env, "record", "/nowhere/x.rec")).stderr, /record \/nowhere\/x\.rec: no such folder$/m);
      await el2With(env, "back", "--by", "5");
      assert.match(
        (await el2With(env, "record", file)).stderr,
        /you are viewing the past, which takes no input; return to the present first/,
      );
      assert.match(
        (await el2With(env, "record", file, "--session", "s", "--", "demo")).stderr,
        /^el2: record: it saves the run of a session, and runs nothing; use el2 run demo --record \S+$/m,
      );
    } finally {
      await el2With(env, "down", "s");
    }
  }));
