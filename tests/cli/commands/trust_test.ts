// Programs of a configuration run only once its content is trusted: a hostile one in the folder
// where el2 is started runs nothing.

import assert from "node:assert/strict";
import { el2Process, type Outcome } from "../program.ts";
import { inProcess } from "../in-process.ts";
import { trustedFolder } from "../../../src/cli/start/trust.ts";
import { exists } from "../../../src/support/cache.ts";

const IMAGE = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
const END = ["--headless", "--for", "100ms", "--turbo"];

/** A folder as one downloads it, whose configuration leaves a mark if one of its programs runs. */
class Folder implements AsyncDisposable {
  readonly root = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "el2-trust-" }));
  readonly path = `${this.root}/project`;
  readonly file = `${this.path}/el2.toml`;
  readonly env: Record<string, string> = {
    XDG_CONFIG_HOME: `${this.root}/config`,
    XDG_STATE_HOME: `${this.root}/state`,
    XDG_RUNTIME_DIR: `${this.root}/run`,
    EL2_SOCKET: "",
  };

  constructor() {
    Deno.mkdirSync(this.path);
    for (const name of ["run", "state"]) Deno.mkdirSync(`${this.root}/${name}`, { mode: 0o700 });
    this.write();
  }

  write(mark = "mark"): void {
    Deno.writeTextFileSync(
      this.file,
      `el2 = 1\n[vm.a]\nimage = "${IMAGE}"\nmemory = "4MiB"\n[[hook]]\nname = "evil"\non = "kind=state vm=vm:a | kind=rpc"\n` +
        `run = ["touch", "${mark}"]\n[[ui.command]]\nname = "worse"\nkey = "Z"\nrun = ["touch", "${mark}"]\n`,
    );
  }

  el2(...args: string[]): Promise<Outcome> {
    return el2Process(args, this.env, this.path);
  }

  /** A command that starts no machine. */
  here(...args: string[]): Promise<Outcome> {
    return inProcess(args, this.env);
  }

  trusted(file = this.file): boolean {
    const before = Deno.env.get("XDG_STATE_HOME");
    Deno.env.set("XDG_STATE_HOME", this.env.XDG_STATE_HOME);
    try {
      return trustedFolder(file, Deno.readTextFileSync(file)) !== undefined;
    } finally {
      if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
      else Deno.env.set("XDG_STATE_HOME", before);
    }
  }

  marked(mark = "mark"): Promise<boolean> {
    return exists(`${this.path}/${mark}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("without a terminal a configuration that is not trusted and starts programs is refused, and none runs", async () => {
  await using folder = new Folder();
  for (const args of [["run", "el2.toml", ...END], [], ["up", "el2.toml", "--name", "s"]]) {
    const { code, stderr } = await folder.el2(...args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.ok(stderr.includes(`${folder.file} runs programs and is not trusted; read it, then: el2 trust ${folder.file}`), stderr);
  }
  assert.equal(await folder.marked(), false);
});

Deno.test("a session's process that is told to run hooks runs none of a configuration that is not trusted", async () => {
  await using folder = new Folder();
  const started = folder.el2("serve", "el2.toml", "--hooks", "--name", "s");
  let rows = "";
  for (const limit = Date.now() + 60_000; !rows.includes("vm:a") && Date.now() < limit;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    rows = (await folder.here("vm", "ls", "--socket", "s", "--json")).stdout;
  }
  assert.ok(rows.includes("vm:a"), rows);
  await folder.el2("down", "s");
  await started;
  assert.equal(await folder.marked(), false);
});

Deno.test("el2 trust lists the programs and lets them run; another content, --remove and records of others end that", async () => {
  await using folder = new Folder();
  const { code, stdout } = await folder.here("trust", folder.file);
  assert.equal(code, 0);
  assert.ok(
    stdout.startsWith(`${folder.file} is trusted until it changes; it starts:\n  command worse: "touch" "mark"\n  hook evil, on `),
    stdout,
  );
  assert.equal((await folder.el2("run", "el2.toml", ...END)).code, 0);
  assert.equal(await folder.marked(), true);
  assert.equal(folder.trusted(), true);
  folder.write("other");
  assert.equal(folder.trusted(), false, "another content");
  await folder.here("trust", folder.file);
  assert.equal(folder.trusted(), true);
  Deno.chmodSync(`${folder.root}/state/el2/trusted`, 0o777);
  assert.equal(folder.trusted(), false, "others could have written the record");
  Deno.chmodSync(`${folder.root}/state/el2/trusted`, 0o700);
  // The same bytes at another path are another file; a link is the file that it leads to.
  await Deno.copyFile(folder.file, `${folder.path}/copy.toml`);
  assert.equal(folder.trusted(`${folder.path}/copy.toml`), false);
  await Deno.symlink(folder.file, `${folder.path}/link.toml`);
  assert.equal(folder.trusted(`${folder.path}/link.toml`), true);
  assert.equal((await folder.here("trust", folder.file, "--remove")).code, 0);
  assert.equal(folder.trusted(), false, "removed");
});

Deno.test("a link to a trusted configuration does not choose the programs that relative paths in it name", async () => {
  await using folder = new Folder();
  const program = (path: string, mark: string) => {
    Deno.writeTextFileSync(path, `#!/bin/sh\ntouch "${folder.root}/${mark}"\n`, { mode: 0o755 });
  };
  Deno.writeTextFileSync(
    folder.file,
    `el2 = 1\n[vm.a]\nimage = "${IMAGE}"\nmemory = "4MiB"\n[[hook]]\nname = "own"\non = "kind=state vm=vm:a"\nrun = ["./notify"]\n`,
  );
  program(`${folder.path}/notify`, "own-mark");
  const hostile = `${folder.root}/hostile`;
  Deno.mkdirSync(hostile);
  program(`${hostile}/notify`, "hostile-mark");
  Deno.symlinkSync(folder.file, `${hostile}/el2.toml`);
  assert.equal((await folder.here("trust", folder.file)).code, 0);
  const { code, stderr } = await el2Process(["run", "el2.toml", ...END], folder.env, hostile);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await Promise.all(["own-mark", "hostile-mark"].map((mark) => exists(`${folder.root}/${mark}`))), [true, false]);
});

Deno.test("on a terminal the user is asked, with the programs in view; a no runs without them, a yes is kept", async () => {
  await using folder = new Folder();
  const asked = async (answer: string) => {
    const main = new URL("../../../main.ts", import.meta.url).pathname;
    const { runtimeArguments } = await import("../../../src/cli/common/runtime.ts");
    const words = [Deno.execPath(), ...runtimeArguments(new URL(`file://${main}`)), "run", "el2.toml", ...END];
    const line = words.map((word) => `'${word}'`).join(" ");
    const child = new Deno.Command("script", {
      args: ["-qec", line, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      env: folder.env,
      cwd: folder.path,
    })
      .spawn();
    const writer = child.stdin.getWriter();
    let text = "", answered = false;
    const decoder = new TextDecoder();
    for await (const part of child.stdout) {
      text += decoder.decode(part, { stream: true });
      if (answered || !text.includes("[y/N]")) continue;
      answered = true;
      await writer.write(new TextEncoder().encode(`${answer}\n`));
    }
    await writer.close().catch(() => {});
    return { text, code: (await child.status).code };
  };
  const no = await asked("n");
  assert.match(
    no.text,
    /el2\.toml runs programs:\r\n {2}command worse: "touch" "mark"\r\n {2}hook evil, .*: "touch" "mark"\r\nTrust it\? \[y\/N\]/,
  );
  assert.match(no.text, /is not trusted, so its commands and hooks do not run/);
  assert.equal(no.code, 0, no.text);
  assert.equal(await folder.marked(), false);
  assert.equal((await asked("y")).code, 0);
  assert.equal(await folder.marked(), true);
  assert.equal((await folder.el2("run", "el2.toml", ...END)).code, 0, "it is trusted from then on");
});

Deno.test("a configuration without programs needs no trust", async () => {
  await using folder = new Folder();
  Deno.writeTextFileSync(folder.file, `el2 = 1\n[vm.a]\nimage = "${IMAGE}"\nmemory = "4MiB"\n`);
  const { stdout } = await folder.here("trust", folder.file);
  assert.equal(stdout, `${folder.file} starts no programs; there is nothing to trust\n`);
});
