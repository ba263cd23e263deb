// Snapshots through the command line (docs/snapshots.md).

import assert from "node:assert/strict";
import { assemble } from "../../../../../src/session/assembly/assemble.ts";
import { exists } from "../../../../../src/kit/support/files/cache.ts";
import type { SessionPlan } from "../../../../../src/model/plans/plan.ts";
import { savedPlan } from "../../../../../src/model/plans/saved-plan.ts";
import { withTable } from "../../../../support/plan-tables.ts";
import { writeSnapshot } from "../../../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../../../src/session/snapshots/save.ts";
import { catalogEntry } from "../../../../../src/app/catalog/catalog.ts";
import { ConsoleProgram } from "../../../../support/console.ts";
import { el2Command } from "../../../../support/el2.ts";
import { el2, el2With, imageOf, type Outcome } from "../../program.ts";
import { LONG } from "../../../../support/long.ts";

const SECONDS = 120;

/** Runs `work` with its own folder for sessions; for its cache, too, where that is empty. */
async function inFolder(
  work: (folder: string, run: (...args: string[]) => Promise<Outcome>) => Promise<void>,
  ownCache = false,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-snapshot-" });
  const env = { XDG_RUNTIME_DIR: folder, ...ownCache && { EL2_CACHE: `${folder}/cache` } };
  try {
    await work(folder, (...args) => el2With(env, ...args));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a session is saved, inspected, verified and loaded by another process, whose VMs continue", () =>
  inFolder(async (folder, run) => {
    const file = `${folder}/demo.snap`;
    assert.equal((await run("up", "demo", "--name", "s", "--turbo")).code, 0);
    try {
      const refused = await run("snapshot", "save", `${folder}/none/x`, "--session", "s");
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /snapshot .*none\/x: no such folder$/m);
      const saved = await run("snapshot", "save", file, "--session", "s", "--json");
      assert.equal(saved.code, 0, saved.stderr);
      assert.equal(JSON.parse(saved.stdout).bytes, (await Deno.stat(file)).size);
      assert.equal((await run("snapshot", "save", file, "--session", "s", "--read-only")).code, 5);
    } finally {
      await run("down", "s");
    }
    const info = JSON.parse((await run("snapshot", "info", file, "--json")).stdout);
    assert.equal(info.schema, "el2.snapshot/1");
    const verified = await run("snapshot", "verify", file);
    assert.equal(verified.code, 0, verified.stderr);
    // A core file has holes, and is not written as a whole.
    for (
      const [core, says] of [["/dev/null", /^el2: snapshot vmcore \/dev\/null: is not a regular file; name another file$/m], [
        `${folder}/none/core`,
        /^el2: snapshot vmcore \S+none\/core: no such folder$/m,
      ]] as const
    ) {
      const refused = await run("snapshot", "vmcore", file, core, "--vm", "ping");
      assert.match(refused.stderr, says);
      assert.equal(refused.code, 2, refused.stderr);
    }
    const end = Number(info.ns) + 3e9;
    const loaded = await run("snapshot", "load", file, "--headless", "--turbo", "--for", "3s");
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.match(loaded.stdout, /^hello\| tick \d+$/m);
    assert.match(loaded.stderr, new RegExp(`${end / 1e9} s of virtual time passed`));
  }));

Deno.test("a session in the background continues from a snapshot, and goes back no further than that", () =>
  inFolder(async (folder, run) => {
    const file = `${folder}/demo.snap`;
    assert.equal((await run("up", "demo", "--name", "first", "--turbo")).code, 0);
    assert.equal((await run("snapshot", "save", file, "--session", "first")).code, 0);
    await run("down", "first");
    const { insn } = JSON.parse((await run("snapshot", "info", file, "--json")).stdout);
    assert.match(
      (await run("up", file, "--name", "second", "--set", "machine.cap_ids=random")).stderr,
      /--set: the snapshot .* sets this; remove the option/,
    );
    const notOne = await run("up", "demo", "--name", "second", "--seed", "2");
    assert.equal(notOne.code, 2);
    assert.match(notOne.stderr, /^el2: --seed: demo is not a snapshot; use --set machine\.seed=2$/m);
    const up = await run("up", file, "--name", "second", "--seed", "2");
    assert.equal(up.code, 0, up.stderr);
    try {
      const again = `${folder}/again.snap`;
      assert.equal((await run("snapshot", "save", again, "--session", "second")).code, 0);
      assert.match((await run("diff", file, again)).stdout, /^plan: 1 of \d+ differ\n {2}seed {2}1 \| 2$/m);
      const { at, data } = JSON.parse(
        (await run("vm", "ls", "--filter", "via=gunyah state=running", "--json", "--session", "second")).stdout,
      );
      assert.ok(Number(at.insn) >= Number(insn));
      assert.deepEqual(data.map(({ id }: { id: string }) => id), ["vm:hello", "vm:ping", "vm:pong"]);
      const back = await run("back", "--to", insn, "--json", "--session", "second");
      assert.equal(JSON.parse(back.stdout).insn, insn, back.stderr);
      const before = await run("back", "--to", String(insn - 1), "--session", "second");
      assert.equal(before.code, 1, before.stdout);
      assert.match(before.stderr, /that is before the snapshot with which the session began/);
      await run("back", "--now", "--session", "second");
      // On a busy computer it takes a while until ping has called.
      let event = await run("back", "--event", "kind=hvc vm=ping", "--json", "--session", "second");
      for (let tries = 0; event.code !== 0 && tries < 100; tries++) {
        assert.match(event.stderr, /no such event or instruction between the snapshot/);
        event = await run("back", "--event", "kind=hvc vm=ping", "--json", "--session", "second");
      }
      const { schema, insn: there, reached } = JSON.parse(event.stdout);
      assert.equal(schema, "el2.place/1");
      assert.ok(Number(there) >= Number(insn));
      assert.match(reached, /^ev:\S+ vcpu:ping\/0 hvc /);
      const on = JSON.parse((await run("on", "--event", "kind=hvc vm=ping", "--json", "--session", "second")).stdout);
      assert.ok(Number(on.insn) >= Number(there));
      assert.match(on.reached, /^ev:\S+ vcpu:ping\/0 hvc |^now; no such event since/);
      assert.match(
        (await run("on", "--event", "x", "--by", "2", "--session", "second")).stderr,
        /^el2: on: --by and --event are mutually exclusive; give one$/m,
      );
      const places = JSON.parse((await run("back", "--list", "--json", "--session", "second")).stdout);
      assert.equal(places.schema, "el2.time.ls/1");
      assert.deepEqual([places.data[0].kind, places.data[0].insn], ["start", String(insn)]);
      assert.match(
        (await run("back", "--event", "kind=state name=creating", "--session", "second")).stderr,
        /no such event or instruction between the snapshot/,
      );
      assert.match(
        (await run("back", "--event", "x", "--now", "--session", "second")).stderr,
        /^el2: back: --by, --to, --event, --at, --mark, --now and --list are mutually exclusive; give one$/m,
      );
    } finally {
      await run("down", "second");
    }
  }));

Deno.test("a snapshot that is none, cut off or changed is refused with its place, exit code 2; verify says 1", () =>
  inFolder(async (folder, run) => {
    const file = `${folder}/x.snap`;
    await Deno.writeTextFile(file, "EL2SNAP\nand nothing more");
    for (const command of ["load", "info"]) {
      const outcome = await run("snapshot", command, file);
      assert.equal(outcome.code, 2);
      assert.match(outcome.stderr, /x\.snap: at byte 8: /);
    }
    assert.equal((await run("snapshot", "verify", file)).code, 1);
    assert.match((await run("snapshot", "info", `${folder}/none`)).stderr, /none: no such file/);
  }));

Deno.test("what a snapshot wants of the computer is named, and needs a word", () =>
  inFolder(async (folder, run) => {
    const [file, image, disk] = [`${folder}/x.snap`, `${folder}/p.bin`, `${folder}/disk.img`];
    await Deno.writeFile(image, imageOf(PROMPTER));
    await Deno.writeFile(disk, new Uint8Array(4096));
    const devices = [{ kind: "block", image: disk, mode: "overlay" } as const, { kind: "9p", folder, mode: "rw", tag: "share" } as const];
    const what = {
      kind: "boot",
      image: await Deno.readFile(image),
      initrd: undefined,
      dtb: undefined,
      append: undefined,
      devices,
    } as const;
    const plan: SessionPlan = withTable({ cpus: 1, memory: 64 << 20, seed: 1, turbo: true, what });
    const system = assemble(plan);
    const snapshot = snapshotOf(system, plan, "x");
    system.outside.close();
    /** The snapshot with other keys of its machine and host. */
    const withKeys = (machine: object, host: object) => {
      const { table, run } = savedPlan(plan, "machine"), { keys } = table;
      const changed = { ...keys, machine: { ...keys.machine as object, ...machine }, host: { ...keys.host as object, ...host } };
      return { ...snapshot, saved: { table: { ...table, keys: changed }, run } };
    };
    // A plan in a file says nothing of files that are to be written.
    for (const _done of writeSnapshot(file, withKeys({ record: `${folder}/r` }, {})));
    for (const command of ["load", "verify"]) {
      const refused = await run("snapshot", command, file);
      assert.equal(refused.code, 2);
      assert.ok(refused.stderr.includes(`needs host resources: folder ${folder} (rw); allow them with --allow-host PATH`));
    }
    // Names that somebody else has chosen do nothing to the terminal.
    const hostile = [{ kind: "9p", folder: "/\x1b]0;mine\x07\u009b2J", mode: "ro", tag: "t" } as const];
    const other = `${folder}/y.snap`;
    for (const _done of writeSnapshot(other, withKeys({}, { devices: hostile })));
    assert.match(
      (await run("snapshot", "load", other)).stderr,
      /folder \/\^\[\]0;mine\^G<U\+009B>2J \(ro\); allow them with --allow-host PATH/,
    );
    for (const devices of [[{ kind: "tape" }], [{ kind: "block" }], [null]]) {
      for (const _done of writeSnapshot(other, withKeys({}, { devices })));
      const refused = await run("snapshot", "load", other, "--allow-host", "all");
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /^el2: .*y\.snap: its plan does not make a machine: .*$/m);
    }
    const verified = await run("snapshot", "verify", file, "--allow-host", folder);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const loaded = await run("snapshot", "load", file, "--allow-host", "all", "--headless", "--for", "1ms");
    assert.equal(loaded.stdout, "> ", loaded.stderr);
    assert.ok(!await exists(`${folder}/r`));
  }));

/** Writes "> " to the PL011, then waits for interrupts. */
const PROMPTER = [0xd2a12000, 0x528007c1, 0xb9000001, 0x52800401, 0xb9000001, 0xd503207f, 0x17ffffff];

Deno.test("--instant leaves a snapshot of the prompt, begins with it, and makes it again where it cannot be loaded", () =>
  inFolder(async (folder, run) => {
    const image = `${folder}/prompter.bin`;
    await Deno.writeFile(image, imageOf(PROMPTER));
    // Its clock would begin with the computer's time.
    const date = ["--set", 'host.rtc="2026-01-01T00:00:00Z"'];
    const boot = () => run("boot", image, "--memory", "64MiB", "--instant", ...date);
    const snapshots = () => [...Deno.readDirSync(`${folder}/cache/instant`)].map(({ name }) => `${folder}/cache/instant/${name}`);
    assert.equal((await boot()).stdout, "> ");
    const [file] = snapshots();
    const whole = await Deno.readFile(file);
    const { mtime } = await Deno.stat(file);
    // The console shows what it showed, and the file is as it was.
    assert.equal((await boot()).stdout, "> ");
    assert.deepEqual((await Deno.stat(file)).mtime, mtime);
    await Deno.writeFile(file, whole.subarray(0, whole.length - 100));
    const fixed = await boot();
    assert.equal(fixed.stdout, "> ");
    assert.match(fixed.stderr, /truncated; the machine starts from the beginning and saves a new snapshot/);
    assert.deepEqual(await Deno.readFile(file), whole);
    if (LONG) {
      await Deno.writeFile(file, whole.with(whole.length >> 1, whole[whole.length >> 1] ^ 1));
      assert.match((await boot()).stderr, /a checksum is wrong; the file was changed; the machine starts from the beginning/);
    }
    // Another image has another snapshot.
    await Deno.writeFile(image, imageOf([0xd503201f, ...PROMPTER]));
    await boot();
    assert.equal(snapshots().length, 2);
    assert.match(
      (await run("boot", image, "--instant", "--record", `${folder}/r`)).stderr,
      /--instant and --record are mutually exclusive/,
    );
  }, true));

if (LONG) {
  Deno.test("a Debian that was saved at its prompt answers in a second process, in every tier", () =>
    inFolder(async (folder) => {
      const { folder: guest } = await catalogEntry("debian-bookworm");
      const env = { XDG_RUNTIME_DIR: folder };
      const args = [
        "boot",
        `${guest}/Image`,
        "--initrd",
        `${guest}/initrd`,
        "--append",
        "console=ttyAMA0",
        "--memory",
        "256MiB",
        "--instant",
      ];
      Deno.env.set("EL2_CACHE", `${folder}/cache`);
      for (const tier of ["auto", "interp", "jit"]) {
        await using console = new ConsoleProgram([
          "/usr/bin/env",
          `XDG_RUNTIME_DIR=${env.XDG_RUNTIME_DIR}`,
          ...el2Command(...args, "--stdio", "--tier", tier),
        ]);
        await console.expect(/# /, SECONDS);
        await console.type("echo $((6 * 7))-from-$(uname -m)");
        await console.expect(/^42-from-aarch64$/m, SECONDS);
        await console.type("poweroff -f");
        assert.equal((await console.end()).code, 0);
      }
      Deno.env.delete("EL2_CACHE");
    }));
}

Deno.test("snapshot names what it needs", async () => {
  const outcome = await el2("snapshot");
  assert.match(outcome.stderr + outcome.stdout, /save.*load.*info.*verify/s);
});
