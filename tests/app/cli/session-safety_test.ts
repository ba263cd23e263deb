// Ownership of a session: one process, as long as it lives, and one user. The other user here is
// uid 65534, which takes root.

import assert from "node:assert/strict";
import { ownUid } from "../../../src/kit/support/files/own-files.ts";
import { checkOwnFolder } from "../../../src/kit/support/files/own-folders.ts";
import { el2Process, el2With, type Outcome } from "./program.ts";
import { PATIENCE } from "../../support/patience.ts";

/** The folder of our sessions below TMPDIR. */
const OWN = `el2-${ownUid()}`;

const OTHER = 65534;
const text = new TextDecoder();

/**
 * Runs el2 with sessions in a folder; without `runtime` in TMPDIR, as where XDG_RUNTIME_DIR is not
 * set.
 */
async function el2(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  return await el2With({ EL2_SESSION: "", XDG_RUNTIME_DIR: "", USER: "alice", ...env }, ...args);
}

/** A shell command as the other user; whether it worked. */
async function asOther(command: string): Promise<boolean> {
  assert.equal(Deno.uid(), 0, "this test needs root, to be another user");
  const { success } = await new Deno.Command("/bin/sh", {
    args: ["-c", command],
    // The checkout may be a folder that only its owner can enter.
    cwd: "/",
    uid: OTHER,
    gid: OTHER,
    stderr: "null",
  }).output();
  return success;
}

/** A folder like /tmp: everybody may write, nobody may remove what others made. */
function shared(): string {
  const folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
  Deno.chmodSync(folder, 0o1777);
  return folder;
}

Deno.test("D1: a session folder that another user made first is refused, and nothing is written through its links", async () => {
  const tmp = shared(), precious = `${tmp}/precious`;
  Deno.writeTextFileSync(precious, "keep me\n", { mode: 0o600 });
  assert.ok(await asOther(`mkdir -m 777 ${tmp}/${OWN} && ln -s ${precious} ${tmp}/${OWN}/v.log`));
  const { code, stderr } = await el2({ TMPDIR: tmp }, "up", "demo", "--name", "v");
  assert.equal(code, 2, stderr);
  assert.match(stderr, /el2-\d+ belongs to user 65534, not to you \(\d+\); set XDG_RUNTIME_DIR to your own folder/);
  assert.equal(Deno.readTextFileSync(precious), "keep me\n");
  for (const command of [["ls"], ["vm", "ls", "--session", "v"], ["down", "v"]]) {
    assert.match((await el2({ TMPDIR: tmp }, ...command)).stderr, /belongs to user 65534/, command.join(" "));
  }
  Deno.removeSync(tmp, { recursive: true });
});

Deno.test("D1: a link instead of the folder, a folder that others may enter, and one in a folder that others may change are refused", async () => {
  const tmp = shared(), mine = `${tmp}/mine`;
  Deno.mkdirSync(mine, { mode: 0o700 });
  Deno.symlinkSync(mine, `${tmp}/${OWN}`);
  assert.match((await el2({ TMPDIR: tmp }, "ls")).stderr, /is a symbolic link; remove it/);
  Deno.removeSync(`${tmp}/${OWN}`);
  Deno.mkdirSync(`${tmp}/${OWN}`);
  Deno.chmodSync(`${tmp}/${OWN}`, 0o750);
  assert.match((await el2({ TMPDIR: tmp }, "ls")).stderr, /has mode 0750, others have rights there; chmod 700/);
  Deno.chmodSync(`${tmp}/${OWN}`, 0o700);
  assert.equal((await el2({ TMPDIR: tmp }, "ls")).code, 0);
  Deno.chmodSync(tmp, 0o777);
  assert.match((await el2({ TMPDIR: tmp }, "ls")).stderr, /others can replace/);
  Deno.removeSync(tmp, { recursive: true });
});

Deno.test("a folder that others can replace from further up, itself or by a link on its way, is refused", async () => {
  const tmp = shared(), folder = `${tmp}/a/b/mine`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.chmodSync(folder, 0o700);
  checkOwnFolder(folder);
  Deno.chmodSync(tmp, 0o777);
  assert.throws(() => checkOwnFolder(folder), new RegExp(`${tmp} has mode 0777: others can replace ${tmp}/a; chmod go-w ${tmp}$`));
  Deno.chmodSync(tmp, 0o1777);
  Deno.symlinkSync(`${tmp}/a`, `${tmp}/own`);
  checkOwnFolder(`${tmp}/own/b/mine`);
  // Its target is ours, but another user can lead it elsewhere at any time.
  assert.ok(await asOther(`ln -s ${tmp}/a ${tmp}/link`));
  assert.throws(() => checkOwnFolder(`${tmp}/link/b/mine`), /link belongs to user 65534, who can replace/);
  Deno.removeSync(tmp, { recursive: true });
});

Deno.test("another user can neither read, write, connect to, replace nor stop a session", async () => {
  const tmp = shared(), folder = `${tmp}/${OWN}`;
  try {
    const up = await el2({ TMPDIR: tmp }, "up", "demo", "--name", "v");
    assert.equal(up.code, 0, up.stderr);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["v.consoles", "v.lock", "v.log", "v.sock", "v.token"]);
    for (const name of names) assert.equal(Deno.lstatSync(`${folder}/${name}`).mode! & 0o077, 0, name);
    const pid = Deno.readTextFileSync(`${folder}/v.lock`).trim();
    const connect = (path: string) => `perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0); connect(S,sockaddr_un("${path}")) or exit 1'`;
    assert.ok(await asOther("perl -MSocket -e 1"));
    for (
      const attempt of [
        ...[
          `ls ${folder}`,
          `cat ${folder}/v.log`,
          `cat ${folder}/v.token`,
          `cat ${folder}/v.consoles/ping.log`,
          connect(`${folder}/v.sock`),
        ],
        ...[`rm ${folder}/v.sock`, `mv ${folder}/v.sock ${folder}/w.sock`, `ln -s /etc/passwd ${folder}/w.log`, `mv ${folder} ${tmp}/gone`],
        ...[`rmdir ${folder}`, `kill ${pid}`, `kill -STOP ${pid}`, `flock -n ${folder}/v.lock true`],
      ]
    ) assert.equal(await asOther(attempt), false, attempt);
    // The same attempts by its owner, to see that they would do something.
    assert.equal((await new Deno.Command("/bin/sh", { args: ["-c", connect(`${folder}/v.sock`)] }).output()).success, true);
    assert.equal((await el2({ TMPDIR: tmp }, "vm", "ls")).code, 0);
  } finally {
    await el2({ TMPDIR: tmp }, "down", "v");
    Deno.removeSync(tmp, { recursive: true });
  }
});

Deno.test("a client does not speak with a socket that another user has put into the place of a session's", async () => {
  const tmp = shared();
  const heard: Deno.Conn[] = [];
  const fake = Deno.listen({ transport: "unix", path: `${tmp}/v.sock` });
  fake.accept().then((connection) => heard.push(connection), () => {});
  Deno.chownSync(`${tmp}/v.sock`, OTHER, OTHER);
  const refused = async (reason: RegExp) => {
    const { code, stderr } = await el2({ XDG_RUNTIME_DIR: "/nowhere" }, "vm", "ls", "--session", `${tmp}/v.sock`);
    assert.equal(code, 3, stderr);
    assert.match(stderr, reason);
  };
  try {
    await refused(/has mode 1777, others have rights there/);
    Deno.chmodSync(tmp, 0o700);
    await refused(/v\.sock belongs to user 65534, not to you/);
    assert.equal(heard.length, 0);
  } finally {
    fake.close();
    Deno.removeSync(tmp, { recursive: true });
  }
});

/** Waits for a killed process: on a busy computer, its last thread may hold files for seconds. */
async function hasEnded(pid: number): Promise<void> {
  const threads = async () => {
    const { stdout } = await new Deno.Command("ps", { args: ["-L", "-o", "stat=", "-p", `${pid}`] }).output();
    return new TextDecoder().decode(stdout).split("\n").filter((state) => /^[^ZX]/.test(state)).length;
  };
  for (const limit = Date.now() + PATIENCE; await threads() > 0;) {
    assert.ok(Date.now() < limit, `process ${pid} lives`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("D6: a session that is suspended keeps its name, and one that was killed leaves it", async () => {
  const tmp = shared(), env = { TMPDIR: tmp };
  try {
    assert.equal((await el2(env, "up", "demo", "--name", "k")).code, 0);
    const pid = Number(Deno.readTextFileSync(`${tmp}/${OWN}/k.lock`));
    Deno.kill(pid, "SIGSTOP");
    // Each waits for an answer as long as a client does.
    const [second, forced, list, asked, only] = await Promise.all([
      el2(env, "up", "demo", "--name", "k"),
      el2(env, "down", "k", "--force"),
      el2(env, "ls"),
      el2(env, "vm", "ls", "--session", "k"),
      el2(env, "vm", "ls"),
    ]);
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      new RegExp(`session k does not answer, but its process ${pid} exists; continue it with fg in its shell, or with kill -CONT ${pid}`),
    );
    assert.match(list.stdout, /^k .* session k does not answer, but its process \d+ exists; continue it/m);
    for (const { code, stderr } of [asked, only]) {
      assert.equal(code, 3);
      assert.match(stderr, /session k does not answer, but its process \d+ exists; continue it/);
    }
    assert.equal(forced.code, 1);
    assert.match(forced.stderr, new RegExp(`process ${pid} still serves the session at \\S+; end it with kill ${pid}`));
    Deno.kill(pid, "SIGCONT");
    assert.equal((await el2(env, "vm", "ls", "--session", "k")).code, 0, "nobody has taken its socket");
    Deno.kill(pid, "SIGKILL");
    await hasEnded(pid);
    assert.equal((await el2(env, "up", "demo", "--name", "k")).code, 0);
    assert.notEqual(Number(Deno.readTextFileSync(`${tmp}/${OWN}/k.lock`)), pid);
  } finally {
    await el2(env, "down", "k");
    Deno.removeSync(tmp, { recursive: true });
  }
});

Deno.test("a process that ends removes its own socket only", async () => {
  const tmp = shared(), env = { TMPDIR: tmp };
  try {
    assert.equal((await el2(env, "up", "demo", "--name", "k")).code, 0);
    const socket = `${tmp}/${OWN}/k.sock`, pid = Number(Deno.readTextFileSync(`${tmp}/${OWN}/k.lock`));
    Deno.removeSync(socket);
    using successor = Deno.listen({ transport: "unix", path: socket });
    assert.equal(successor.addr.path, socket);
    const { ino } = Deno.lstatSync(socket);
    Deno.kill(pid, "SIGTERM");
    const there = () => [...Deno.readDirSync(`${tmp}/${OWN}`)].some(({ name }) => name === "k.token");
    for (const limit = Date.now() + PATIENCE; there();) {
      assert.ok(Date.now() < limit, "the session has not ended");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(Deno.lstatSync(socket).ino, ino);
  } finally {
    Deno.removeSync(tmp, { recursive: true });
  }
});

Deno.test("D14: el2 never starts itself with all permissions", async () => {
  const sources = new URL("../../../src/", import.meta.url);
  const { stdout } = await new Deno.Command("grep", { args: ["-rlE", 'allow-all|"-A"', sources.pathname] }).output();
  assert.equal(text.decode(stdout), "");
});

Deno.test("a cache folder that another user can change is refused, and nothing that was planted there is used", async () => {
  const tmp = shared(), cache = `${tmp}/cache`;
  Deno.mkdirSync(cache);
  // A process looks at the folder once.
  const list = () => el2Process(["guests", "ls"], { EL2_CACHE: cache, XDG_RUNTIME_DIR: tmp });
  assert.equal((await list()).code, 0);
  for (
    const [mode, owner, reason] of [[0o777, 0, /has mode 0777, others can change it; chmod go-w/], [
      0o700,
      OTHER,
      /belongs to user 65534/,
    ]] as const
  ) {
    Deno.chmodSync(cache, mode);
    Deno.chownSync(cache, owner, owner);
    const { code, stderr } = await list();
    assert.equal(code, 2);
    assert.match(stderr, reason);
    assert.match(stderr, /name another one with EL2_CACHE/);
    const run = await el2Process(["run", "demo", "--headless", "--turbo", "--for", "10ms"], { EL2_CACHE: cache });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /cores are not kept: cache folder/);
    assert.deepEqual([...Deno.readDirSync(cache)], []);
  }
  Deno.removeSync(tmp, { recursive: true });
});

Deno.test("root with another user's runtime folder makes nothing in it", async () => {
  assert.equal(Deno.uid(), 0, "this test needs root, to be another user");
  const runtime = Deno.makeTempDirSync({ prefix: "el2-test-" });
  try {
    Deno.chownSync(runtime, OTHER, OTHER);
    for (const command of ["ls", "up"]) {
      const { code, stderr } = await el2({ XDG_RUNTIME_DIR: runtime }, command, ...command === "up" ? ["demo"] : []);
      assert.notEqual(code, 0);
      assert.match(stderr, /belongs to user 65534, not to you \(0\)(, or|;) set XDG_RUNTIME_DIR to your own folder/);
    }
    assert.deepEqual([...Deno.readDirSync(runtime)], []);
  } finally {
    Deno.removeSync(runtime, { recursive: true });
  }
});
