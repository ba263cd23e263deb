// Errors of a first run end cleanly, with a message that names the way out.

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { el2, el2Process, el2Refused, el2With } from "./program.ts";
import { denoFolder, el2Command } from "../../support/el2.ts";
import { eventually } from "../../support/eventually.ts";
import { LONG } from "../../support/long.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;

const RUNS: readonly (readonly [what: string, args: readonly string[], code: number, says: RegExp])[] = [
  ["a file that is not there", ["run", "nofile.toml"], 2, /nofile\.toml: no such file/],
  ["a folder", ["run", ROOT], 2, /is a folder/],
  ["a folder as a recording", ["replay", ROOT], 2, /recording \S+: is a folder/],
  ["a device as an image", ["run", "/dev/zero"], 2, /image \/dev\/zero: is a device/],
  ["a device as a kernel", ["boot", "/dev/zero"], 2, /kernel \/dev\/zero: is a device/],
  ["a device as a recording", ["replay", "/dev/zero"], 2, /recording \/dev\/zero: is a device/],
  ["a device as a snapshot", ["snapshot", "load", "/dev/zero"], 2, /snapshot \/dev\/zero: is a device/],
  ["a device as a scenario", ["test", "/dev/zero"], 2, /scenario \/dev\/zero: is a device/],
  [
    "a text as an image",
    ["run", `${ROOT}README.md`],
    1,
    /vm:readme ended: fault\n.* readme\/0 stopped: .*; its handler at 0x200 cannot be fetched\n(?![^]*go there)[^]* --tui shows it, and goes back in it: el2 back --to \d+\nel2: crashed: readme \(fault\)$/m,
  ],
  ["no argument", ["run"], 2, /missing required argument 'what'; for example el2 run \S+[^]*--help shows/],
  ["no argument of a command with one example", ["snapshot", "verify"], 2, /'file'; for example el2 snapshot verify before\.snap/],
  ["a command with a typo", ["rnu"], 2, /unknown command "rnu"; did you mean "run"\? List the commands with el2 --help/],
  ["an image that is none", ["boot", `${ROOT}README.md`], 2, /not an arm64 Linux Image/],
  ["a guest that nobody has", ["guests", "fetch", "foo"], 2, /"foo" is not a guest that can be fetched; there is debian/],
  ["a session name that can be no file", ["up", "demo", "--name", "a/b"], 2, /--name: "a\/b" is not a session name; use letters, digits/],
  ["attach without a terminal", ["attach"], 2, /attach needs a terminal; without one: el2 logs, el2 events --follow, el2 vm ls/],
  ["a session that is not there", ["vm", "ls", "--session", "none"], 3, /no session called "none"; start one with el2 up demo/],
  ["a kind of events that is none", ["events", "--kinds", "bad"], 2, /"bad" is not a kind of event; use hvc, rpc/],
];

for (const [what, args, code, says] of RUNS) {
  Deno.test(`first run: ${what}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const env = { XDG_RUNTIME_DIR: folder, EL2_SESSION: "", NO_COLOR: "1" };
      // A run that starts a machine ends with 1.
      const { code: ended, stderr } = await (code === 1 ? el2With(env, ...args) : el2Refused(args, env));
      assert.equal(ended, code, stderr);
      assert.match(stderr, says);
      // Before the message only the reason of a VM's end.
      assert.match(stderr, /^(?:vm:\S+ \w+: .*\n(?:why:\d+ [\s\S]*\n)?)?el2: /);
      assert.doesNotMatch(stderr, /\n {4}at /);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("first run: no place for sockets", async () => {
  const up = async (env: Record<string, string>) => {
    // A process finds its folder for temporary files once.
    const { code, stderr } = await el2Process(["up", "demo"], env);
    assert.equal(code, 2);
    return stderr;
  };
  assert.equal(
    await up({ XDG_RUNTIME_DIR: "/dev/null" }),
    "el2: sessions need /dev/null/el2: no folder can be made there; set XDG_RUNTIME_DIR to your own folder\n",
  );
  assert.match(await up({ TMPDIR: "/dev/null" }), /^el2: no temporary file can be made; set TMPDIR to a folder that you can write to\n$/);
});

/** Where `onFullDisk` mounts a disk that is full, for its process alone. */
const FULL = "/mnt";

/** Runs `el2 ARGS` beside a disk that is full; stdout goes where `to` says. */
async function onFullDisk(args: readonly string[], to = "/dev/null") {
  const fill = `mount -t tmpfs -o size=64k full ${FULL} && ! dd if=/dev/zero of=${FULL}/fill bs=4k 2>/dev/null`;
  const shell = ["/bin/sh", "-c", `${fill} && exec "$@" >${to}`, "sh", ...el2Command(...args)];
  const mounting = ["--mount", ...Deno.uid() === 0 ? [] : ["--map-root-user"], ...shell];
  const { code, stderr } = await new Deno.Command("unshare", { args: mounting, env: { NO_COLOR: "1" }, stdin: "null" }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

const DEMO = [`${ROOT}assets/demo.toml`, "--turbo", "--for", "20ms"];

Deno.test("first run: the disk is full", async (t) => {
  const recording = await Deno.makeTempFile({ prefix: "el2-test-" });
  await using made = new AsyncDisposableStack();
  made.defer(() => Deno.remove(recording));
  assert.equal((await el2("run", "--record", recording, ...DEMO, "--headless")).code, 0);
  const runs: readonly (readonly [args: readonly string[], to: string | undefined, code: number, says: RegExp])[] = [
    [
      ["run", ...DEMO, "--record", `${FULL}/r`],
      undefined,
      2,
      /^el2: --record \/mnt\/r: No space left.*; free some space, or name another place$/m,
    ],
    [["run", ...DEMO, "--log", `${FULL}/l`], undefined, 0, /^el2: --log \/mnt\/l: No space left.*; logging ends here$/m],
    [["run", ...DEMO], "/dev/full", 2, /^el2: stdout: No space left.*; the run ends$/m],
    [["reference", "schema"], "/dev/full", 2, /^el2: stdout: No space left.*; free some space, or name another place$/m],
    [["--help"], "/dev/full", 2, /^el2: stdout: No space left.*; free some space, or name another place$/m],
    [
      ["test", `${ROOT}examples/refused-lend.test.toml`, "--junit", `${FULL}/j`],
      undefined,
      2,
      /^el2: --junit \/mnt\/j: No space left.*; free some space, or name another place$/m,
    ],
    // Nothing says that it was done.
    [
      ["run", "--record", `${FULL}/r2`, ...DEMO, "--headless"],
      undefined,
      2,
      /^el2: --record \/mnt\/r2: the recording is not complete, and cannot be replayed$/m,
    ],
    [
      ["screenshot", `${FULL}/s.svg`, "--run", "demo"],
      undefined,
      2,
      /^el2: screenshot \/mnt\/s\.svg: No space left.*; free some space, or name another place$/m,
    ],
    [
      ["trace", "export", `${FULL}/t.json`, "--recording", recording],
      undefined,
      2,
      /^el2: trace export \/mnt\/t\.json: No space left.*; free some space, or name another place$/m,
    ],
    [
      ["test", `${ROOT}examples/refused-lend.test.toml`, "--results", `${FULL}/p`],
      undefined,
      2,
      /^el2: --results \/mnt\/p: No space left.*; free some space, or name another place$/m,
    ],
  ];
  // One of each kind: a recording, consoles, text, a picture, and what is made of a recording.
  for (const [args, to, code, says] of LONG ? runs : [0, 2, 4, 7, 8].map((index) => runs[index])) {
    await t.step(`${args.join(" ")}${to ? ` >${to}` : ""}`, async () => {
      const run = await onFullDisk(args, to);
      assert.match(run.stderr, says);
      assert.equal(run.code, code, run.stderr);
      assert.doesNotMatch(run.stderr, /\n {4}at /);
    });
  }
});

Deno.test("first run: a console's log that cannot be written: the VM, the file and the reason are reported, and the machine continues", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${ROOT}assets/guests/hello.bin`, `${folder}/hello.bin`);
    // An error that only opening it reports: its target is in a missing folder.
    await Deno.symlink(`${folder}/none/b.log`, `${folder}/b.log`);
    const vm = (name: string, log: string) =>
      `[vm.${name}]\nimage = "hello.bin"\nmemory = "4MiB"\ndevices = [{ kind = "pl011", log = "${log}" }]\n`;
    await Deno.writeTextFile(`${folder}/c.toml`, `el2 = 1\n${vm("a", `${FULL}/a`)}${vm("b", "b.log")}${vm("c", "c.log")}`);
    const events = `${folder}/events`;
    const run = await onFullDisk(
      ["run", `${folder}/c.toml`, "--allow-host", "all", "--turbo", "--for", "3s", "--log", events],
      `${folder}/out`,
    );
    assert.equal(run.code, 0, run.stderr);
    const told = [
      /log of console vm:a: \/mnt\/a: No space left on device.*; free some space, or name another place; the console continues without it/,
      /log of console vm:b: .*\/b\.log: No such file.*; name a writable file; the console continues without it/,
    ];
    for (const line of told) {
      assert.match(run.stderr, new RegExp(`^el2: ${line.source}$`, "m"));
      assert.match(await Deno.readTextFile(events), new RegExp(`^!\\d+\\.\\d+ session log ${line.source}$`, "m"));
    }
    assert.doesNotMatch(run.stderr, /\n {4}at |vm:c/);
    const shown = await Deno.readTextFile(`${folder}/out`);
    for (const name of ["a", "b", "c"]) assert.match(shown, new RegExp(`^${name}\\| tick 2$`, "m"));
    assert.match(await Deno.readTextFile(`${folder}/c.log`), /^tick 2\r?$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("first run: a place for sockets whose name is too long", async () => {
  const folder = `${await Deno.makeTempDir()}/${"x".repeat(100)}`;
  try {
    const run = await el2With({ XDG_RUNTIME_DIR: folder }, "up", "demo");
    assert.equal(run.code, 2);
    assert.match(
      run.stderr,
      /^el2: the path of the socket \S+ has \d+ bytes, at most 107 are possible; set XDG_RUNTIME_DIR to a shorter folder\n$/,
    );
  } finally {
    await Deno.remove(dirname(folder), { recursive: true });
  }
});

Deno.test("first run: no place for a cache", async () => {
  const image = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
  const file = await Deno.makeTempFile();
  try {
    const refused = async (env: Record<string, string>, ...words: string[]) => {
      const [program, ...args] = el2Command(...words);
      const { PATH = "", HOME, XDG_CACHE_HOME } = Deno.env.toObject();
      // Deno itself, or the one file, is to find its own cache, whatever el2 is told.
      const EL2_RUNTIME = Deno.env.get("EL2_RUNTIME") || `${XDG_CACHE_HOME ?? `${HOME}/.cache`}/el2/runtime`;
      const own = { PATH, EL2_RUNTIME, DENO_DIR: denoFolder(), NO_COLOR: "1" };
      const { code, stderr } = await new Deno.Command(program, { args, env: { ...own, ...env }, clearEnv: true, stdin: "null" }).output();
      const text = new TextDecoder().decode(stderr);
      assert.doesNotMatch(text, /\n {4}at /);
      return { code, text };
    };
    const homeless = await refused({}, "run", image, "--instant", "--headless");
    assert.deepEqual([homeless.code, homeless.text], [
      2,
      "el2: no cache folder: HOME and XDG_CACHE_HOME are not set; set EL2_CACHE\n",
    ]);
    const none = await el2With({ EL2_CACHE: `${file}/el2` }, "run", "debian");
    assert.equal(none.code, 2);
    assert.match(none.stderr, /el2 guests fetch debian/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("first run: a session whose disk is full, so that neither its consoles nor its messages are kept, continues", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const env = { XDG_RUNTIME_DIR: folder, NO_COLOR: "1" };
  const [program, ...rest] = el2Command("background", "demo", "--name", "s");
  // A folder where the log should be refuses even root.
  await Deno.mkdir(`${folder}/el2/s.consoles/hello.log`, { recursive: true, mode: 0o700 });
  const child = new Deno.Command("/bin/sh", { args: ["-c", 'exec "$@" 2>/dev/full', "sh", program, ...rest], env, stdin: "null" }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  try {
    await eventually(() => el2With(env, "console", "hello"), ({ stdout }) => stdout.includes("tick 1"));
    assert.equal((await el2With(env, "down", "s")).code, 0);
    assert.equal((await child.status).code, 0);
  } finally {
    if (!ended) child.kill("SIGKILL");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("first run: a cache folder that cannot be written", async () => {
  // A file where a folder should be refuses even root.
  const home = await Deno.makeTempFile();
  try {
    const { code, stderr } = await el2With({ EL2_CACHE: `${home}/el2` }, "guests", "fetch", "debian");
    assert.equal(code, 1);
    const text = stderr.trim();
    assert.ok(text.startsWith(`el2: guests fetch: cannot write to ${home}/el2: `), text);
    assert.ok(text.endsWith("; set EL2_CACHE to another folder"), text);
  } finally {
    await Deno.remove(home);
  }
});

Deno.test("first run: ctrl-C at any time of a start ends it at once, without a stack", async () => {
  for (const wait of LONG ? [0, 60, 200, 500] : [60, 500]) {
    const [program, ...args] = el2Command("run", ...DEMO.slice(0, 1));
    const child = new Deno.Command(program, { args, env: { NO_COLOR: "1" }, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    await new Promise((resolve) => setTimeout(resolve, wait));
    child.kill("SIGINT");
    const { code, signal, stderr } = await child.output();
    const text = new TextDecoder().decode(stderr);
    // Before the program listens the system ends it; afterwards it says so.
    assert.ok(signal === "SIGINT" && text === "" || code === 130 && text === "el2: interrupted\n", `${wait} ms: ${code} ${signal} ${text}`);
  }
});
