import assert from "node:assert/strict";
import { colorsOf, copyingOf, localeOf, programsOf } from "../../../../../src/app/cli/common/requirements.ts";
import { el2, el2Process } from "../../program.ts";

const IDS = [
  "platform",
  "limits",
  "memory",
  "folders",
  "sockets",
  "names",
  "terminal",
  "colors",
  "locale",
  "copying",
  "guests",
  "settings",
  "programs",
];

Deno.test("doctor says for each check whether it passed", async () => {
  const { stdout } = await el2("doctor", "--json");
  const { data } = JSON.parse(stdout);
  assert.deepEqual(data.map(({ id }: { id: string }) => id), IDS);
  for (const { ok, remedy } of data) assert.ok(ok || remedy !== "");
});

Deno.test("doctor names the programs that are missing, the commands that need them, and the packages that have them", async () => {
  const all = ["mke2fs", "debugfs", "gdb", "wireshark", "qemu-system-aarch64"];
  assert.deepEqual(programsOf((name) => all.includes(name)), { says: all.join(", "), remedy: "" });
  assert.deepEqual(programsOf((name) => name !== "debugfs"), {
    says: "not installed: debugfs",
    remedy: "for el2 guests fetch debian --disk: install e2fsprogs",
  });
  const { code, stdout } = await el2Process(["doctor"], { PATH: "/nonexistent", TERM: "dumb", LC_ALL: "C" });
  assert.equal(code, 0, stdout);
  const lines = [
    "tip colors    no colors: NO_COLOR is set",
    "              for colors: unset NO_COLOR",
    "tip locale    C: the screens draw only ASCII",
    "              for lines and blocks: export LC_ALL=C.UTF-8",
  ];
  assert.ok(stdout.includes(lines.join("\n")), stdout);
  // The system may have programs in /usr/sbin.
  const programs = [
    "              for gdb and --gdb: install gdb-multiarch",
    "              for captures of trace export: install wireshark",
    "              for el2 bench --against qemu: install qemu-system-arm",
  ];
  assert.ok(stdout.includes(`\n${programs.join("\n")}\n\n`), stdout);
  assert.ok(stdout.endsWith('\nel2 can run on this computer. Lines marked "tip" are optional. Start with: el2 tour\n'), stdout);
});

Deno.test("doctor names the user's settings, and says if there are none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const says = async () => (await el2Process(["doctor"], { XDG_CONFIG_HOME: folder })).stdout;
    assert.match(await says(), /^ok {2}settings {2}none of your own; they would be in \S+\/el2\/ui\.toml$/m);
    await Deno.mkdir(`${folder}/el2`);
    await Deno.writeTextFile(`${folder}/el2/ui.toml`, "");
    assert.match(await says(), /^ok {2}settings {2}your own are in \S+\/el2\/ui\.toml$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("doctor concludes what does not work here from the checks that failed", async () => {
  // No folder for sockets can be made below a file, and without HOME there is none for guests.
  const folder = await Deno.makeTempDir(), file = `${folder}/file`;
  await Deno.writeTextFile(file, "");
  try {
    // The one file unpacks itself there.
    const EL2_RUNTIME = `${folder}/runtime`;
    const nowhere = { XDG_RUNTIME_DIR: `${file}/run`, EL2_CACHE: "", XDG_CACHE_HOME: "", HOME: "", EL2_RUNTIME };
    const { code, stdout } = await el2Process(["doctor"], nowhere);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /^!! {2}sockets {3}sessions need \S+\/run\/el2: .*\n {14}set XDG_RUNTIME_DIR to your own folder$/m);
    assert.match(stdout, /^!! {2}guests {4}no cache folder: .*\n {14}set EL2_CACHE$/m);
    assert.ok(stdout.endsWith("\nParts of el2 do not work here until you fix the lines marked !!: sockets, guests\n"), stdout);
    const { stdout: device } = await el2Process(["doctor"], { EL2_CACHE: "/proc/none" });
    assert.match(device, /^!! {2}folders {3}cache: \/proc\/none cannot be written: not a folder for files$/m);
    assert.match(device, /^!! {2}guests {4}the cache folder cannot be read\n {14}set EL2_CACHE to a writable folder$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("doctor says whether tmux takes what the screens copy, and names its setting", async () => {
  const inside = (name: string) => name === "TMUX" ? "/tmp/tmux,1,0" : undefined;
  const found = (settings: Readonly<Partial<Record<string, string>>>) => copyingOf(inside, (name) => Promise.resolve(settings[name]));
  assert.equal((await copyingOf(() => undefined, () => Promise.reject())).remedy, "");
  assert.equal((await found({ "set-clipboard": "on", "allow-passthrough": "off" })).remedy, "");
  assert.equal((await found({ "set-clipboard": "external", "allow-passthrough": "all" })).remedy, "");
  for (const settings of [{ "set-clipboard": "external", "allow-passthrough": "off" }, { "set-clipboard": "off" }, {}]) {
    assert.match((await found(settings)).remedy, /tmux set -g set-clipboard on$/);
  }
});

Deno.test("doctor says how to have all colors and characters", () => {
  const environment = (values: Record<string, string>) => (name: string) => values[name];
  const term = { TERM: "xterm-256color" };
  assert.deepEqual(colorsOf(environment({ ...term, COLORTERM: "truecolor" })), { says: "direct color, TERM=xterm-256color", remedy: "" });
  assert.match(colorsOf(environment(term)).remedy, /COLORTERM=truecolor/);
  assert.match(colorsOf(environment({ TERM: "dumb" })).remedy, /TERM=xterm-256color/);
  assert.deepEqual(localeOf(environment({ LANG: "de_DE.UTF-8" })), { says: "de_DE.UTF-8", remedy: "" });
  assert.match(localeOf(environment({})).says, /^none: /);
});
