// Sessions and terminals: attaching, leaving, losing, suspending, in tmux.

import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { run, session, shell } from "./demo-session.ts";
import { SANE, TmuxTerminal } from "./tmux.ts";
import { diskWriter } from "../session/outside/disk-writer.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { PATIENCE } from "../support/patience.ts";

const DEMO = new URL("../../assets/demo.toml", import.meta.url).pathname;

/** A pattern of the last line that a guest of session `s` wrote: older ones leave the pane. */
async function earlierOutput(folder: string): Promise<string> {
  const lines = async () => {
    const { code, stdout } = await run(folder, "console", "hello", "--session", "s");
    assert.equal(code, 0);
    return stdout.split(/\r?\n/).slice(0, -1);
  };
  return `${RegExp.escape((await eventually(lines, ({ length }) => length > 0)).at(-1)!)}\\b`;
}

Deno.test("screens of one session in the background, one after the other", async (t) => {
  await using s = await session();
  await t.step("W62: attach --read-only lets no key through to a guest", async () => {
    await using terminal = await TmuxTerminal.start(`exec env ${shell(s.folder, "attach", "s", "--read-only")}`, 100, 30);
    await terminal.until(/READ-ONLY[\s\S]*Virtual machines/);
    await terminal.keys("c");
    await terminal.until(/read-only: cannot type/);
  });
  await t.step(
    "W67, W8, W78: two attached clients of two sizes show what one types; q and kill -9 of a client leave the session running",
    async () => {
      const attach = `${shell(s.folder, "attach", "s")}; echo "left with $?"; exec sleep 1000`;
      // The consoles show their earlier output.
      const earlier = await earlierOutput(s.folder);
      await using one = await TmuxTerminal.start(attach, 120, 36);
      await one.until(new RegExp(earlier));
      const pid = `${s.folder}/pid`;
      const second = `sh -c "echo \\$\\$ > ${pid}; exec env ${shell(s.folder, "attach", "s")}"; exec sleep 1000`;
      const later = await earlierOutput(s.folder);
      await using two = await TmuxTerminal.start(second, 80, 24);
      await two.until(new RegExp(later));
      await one.keys("c", "x");
      await one.until(/typed 'x'/);
      await two.until(/typed 'x'/);
      await one.keys("C-]", "d");
      await one.until(/follows/);
      // Each has its own size, and a change of one is not seen by the other.
      await one.resize(100, 30);
      for (const [client, columns, rows] of [[one, 100, 30], [two, 80, 24]] as const) {
        await client.until(new RegExp(`^(?=[^]*\\n[╭─].{${columns - 2}}[╮─]\\n)(.*\\n){${rows - 3},${rows - 1}}.*\\? help`));
      }
      await one.keys("q");
      const left = await one.until(/left with 0/);
      assert.match(left, /session s continues; show it with el2 attach s/);
      Deno.kill(Number(await Deno.readTextFile(pid)), "SIGKILL");
      const shown = (await run(s.folder, "console", "hello")).stdout;
      assert.match(shown, /typed 'x'/);
      // Guests continue without a viewer: this waits for output that comes from now on.
      assert.equal((await run(s.folder, "console", "hello", "--expect", "tick [0-9]", "--timeout", "60s")).code, 0);
      await using again = await TmuxTerminal.start(`exec env ${shell(s.folder, "attach", "s")}`, 80, 24);
      await again.until(/typed 'x'/);
    },
  );
  await t.step(
    "t f forks what is shown, also in the past: the fork continues from there by itself, and the first session stays as it is",
    async () => {
      const shown = async (name: string) => (await run(s.folder, "console", "hello", "--session", name)).stdout;
      await using terminal = await TmuxTerminal.start(`exec env ${shell(s.folder, "attach", "s")}`, 120, 36);
      await terminal.until(/tick \d/);
      await terminal.keys("c", "x");
      await terminal.until(/typed 'x'/);
      await terminal.keys("C-]", "d", "t", "f");
      await terminal.until(/session s-fork1 continues from here; el2 attach s-fork1 shows it/);
      try {
        assert.match(await shown("s-fork1"), /typed 'x'/);
        assert.equal(
          (await run(s.folder, "console", "hello", "--session", "s-fork1", "--send", "y", "--expect", "typed .y.", "--timeout", "60s"))
            .code,
          0,
        );
        assert.doesNotMatch(await shown("s"), /typed 'y'/);
        // Back before anybody typed: there it is another machine.
        await terminal.keys("t", "g");
        await terminal.until(/go to \(120000/);
        await terminal.keys("5000", "Enter");
        await terminal.until(/PAST[\s\S]*at t=\S+, instruction 5000/);
        await terminal.keys("t", "f");
        await terminal.until(/session s-fork2 continues from here/);
        const { data } = JSON.parse((await run(s.folder, "back", "--list", "--json", "--session", "s-fork2")).stdout);
        assert.deepEqual([data[0].kind, data[0].insn], ["start", "5000"]);
        assert.doesNotMatch(await shown("s-fork2"), /typed/);
        await terminal.keys("t", "n");
        await terminal.until(/PAUSED/);
        assert.match(await shown("s"), /typed 'x'/);
        assert.equal((await run(s.folder, "resume", "--session", "s")).code, 0);
      } finally {
        for (const name of ["s-fork1", "s-fork2"]) await run(s.folder, "down", name);
      }
    },
  );
  await t.step(":run shows another session, also from an attached screen, and q comes back: both continue", async () => {
    const there = `${s.folder}/work here`;
    await Deno.mkdir(there);
    await Deno.copyFile(new URL("../../assets/guests/hello.bin", import.meta.url), `${there}/Image`);
    const attach = `cd '${there}'; ${shell(s.folder, "attach", "s")}; echo "left with $?"; exec sleep 1000`;
    await using terminal = await TmuxTerminal.start(attach, 120, 36);
    await terminal.until(/el2 {2}s [\s\S]*(hello from EL1|tick \d)/);
    await terminal.keys(":run debain", "Enter");
    await terminal.until(/image debain: no such file, and no guest of this name; did you mean "debian"\?/);
    await terminal.keys(":run Image", "Enter");
    try {
      await terminal.until(
        /el2 {2}Image [\s\S]*Console . image[\s\S]*(hello from EL1|tick \d)[\s\S]*session Image is running; q returns to s/,
      );
      await terminal.keys("c", "x");
      await terminal.until(/typed 'x'/);
      await terminal.keys("C-]", "d", ":run demo", "Enter");
      await terminal.until(/el2 {2}demo [\s\S]*session demo is running; q returns to Image/);
      await terminal.keys("q");
      await terminal.until(/el2 {2}Image [\s\S]*session demo continues; show it with el2 attach demo/);
      const earlier = await earlierOutput(s.folder);
      await terminal.keys("q");
      // The console shows its earlier output again, and typed input goes to it.
      await terminal.until(new RegExp(`el2 {2}s [^]*${earlier}[^]*session Image continues; show it with el2 attach Image`));
      await terminal.keys("c", "y");
      await terminal.until(/typed 'y'/);
      assert.match((await run(s.folder, "console", "image", "--session", "Image")).stdout, /typed 'x'/);
      await terminal.keys("C-]", "d", "q");
      assert.match(await terminal.until(/left with 0/), /session demo continues[\s\S]*session Image continues[\s\S]*session s continues/);
    } finally {
      for (const name of ["Image", "demo"]) await run(s.folder, "down", name);
    }
  });
  await t.step(
    "W51, W72: p stops virtual time and panes keep working; nothing is written in ten seconds, whichever screen is shown",
    async () => {
      await using terminal = await TmuxTerminal.start(`exec env ${shell(s.folder, "attach", "s")}`, 120, 36);
      await terminal.until(/tick \d/);
      await terminal.keys("p");
      await terminal.until(/PAUSED/);
      const at = async () => JSON.parse((await run(s.folder, "vm", "ls", "--json")).stdout).at;
      const stopped = await at();
      const SCREENS: readonly (readonly [key: string, shown: RegExp])[] = [
        ...[["2", /[━─=-] vCPUs \d[^]*hello\/0/], ["3", /[━─=-] Interrupts \d[^]*vtimer/], ["7", /[━─=-] Requests[^]*rpc:/]] as const,
        ["1", /[━─=-] Virtual machines[^]*hello/],
      ];
      for (const [key, shown] of SCREENS) {
        await terminal.keys(key);
        await terminal.until(shown);
      }
      assert.deepEqual(await at(), stopped, "virtual time has stopped");
      // Pending drawing is done: then nothing changes any more.
      const file = `${s.folder}/written`;
      for (let size = -1, quiet = 0; quiet < 3; await new Promise((resolve) => setTimeout(resolve, 500))) {
        if (size < 0) await terminal.copyTo(file);
        const now = (await Deno.stat(file).catch(() => undefined))?.size ?? 0;
        quiet = now === size ? quiet + 1 : 0;
        size = now;
      }
      const before = (await Deno.stat(file)).size;
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      assert.equal((await Deno.stat(file)).size, before, new TextDecoder().decode((await Deno.readFile(file)).subarray(before)));
      // The copy works: a key is drawn.
      await terminal.keys("j");
      for (const limit = Date.now() + PATIENCE; (await Deno.stat(file)).size === before;) {
        assert.ok(Date.now() < limit, "nothing is copied");
      }
      await terminal.keys("p");
      await terminal.until(/LIVE/);
      for (const limit = Date.now() + PATIENCE; (await at()).ns === stopped.ns;) assert.ok(Date.now() < limit, "virtual time goes on");
    },
  );
  await t.step("W83: when the session goes, the screen says LOST, counts, and q exits with 3", async () => {
    await using terminal = await TmuxTerminal.start(`${shell(s.folder, "attach", "s")}; echo "left with $?"; exec sleep 1000`, 100, 30);
    await terminal.until(/Virtual machines[\s\S]*Console/);
    await run(s.folder, "down", "s");
    await terminal.until(/LOST[\s\S]*connection lost \d+ s ago/);
    assert.equal((await run(s.folder, "up", "demo", "--name", "s")).code, 0);
    await terminal.keys("r");
    await terminal.until(/LIVE[\s\S]*Virtual machines/);
    await run(s.folder, "down", "s");
    await terminal.until(/LOST/);
    await terminal.keys("q");
    await terminal.until(/left with 3/);
  });
});

/**
 * Clicks on the scrubber of session `s` go to the times there, after a jump into the past by keys.
 * @param least ns of virtual time that the run must have
 */
async function clickTimes(terminal: TmuxTerminal, folder: string, least: number): Promise<void> {
  const time = async (kind: string) => {
    const { data } = JSON.parse((await run(folder, "back", "--list", "--json", "--session", "s")).stdout);
    return Number(data.find((row: { kind: string }) => row.kind === kind)?.t);
  };
  await eventually(() => time("now"), (now) => now > least);
  await terminal.keys("t", "g");
  await terminal.until(/go to \(120000/);
  await terminal.keys("5000", "Enter");
  await terminal.until(/PAST[\s\S]*at t=\S+, instruction 5000/);
  const now = await time("now");
  const clickAt = async (part: number) => {
    const lines = (await terminal.screen()).map((line) => line.trimEnd());
    const y = lines.findIndex((line) => /^ 0 s .*now [\d. ]+ s$/.test(line));
    assert.ok(y > 0, lines.join("\n"));
    const bar = { from: lines[y].search(/[◆━─]/), end: lines[y].lastIndexOf("─") + 1 };
    await terminal.click(Math.round(bar.from + part * (bar.end - bar.from)), y);
  };
  for (const part of [0.75, 0.25]) {
    const before = await time("shown");
    const isThere = (shown: number) => shown !== before && Math.abs(shown - part * now) < 0.05 * now;
    let looks = 0;
    await eventually(async () => {
      // A screen that is drawn anew between the look at it and the click may have moved its lines.
      if (looks++ % 20 === 0) await clickAt(part);
      return await time("shown");
    }, isThere);
  }
}

Deno.test("a click on the scrubber goes to that time, and y copies to a tmux that takes it", async () => {
  await using s = await session();
  await using terminal = await TmuxTerminal.start(`exec env ${shell(s.folder, "attach", "s")}`, 120, 36);
  await terminal.set("set-clipboard", "on");
  await terminal.until(/tick \d/);
  await clickTimes(terminal, s.folder, 3e9);
  assert.doesNotMatch((await terminal.screen()).join("\n"), /ERROR/);
  await terminal.keys("1", "y", "i");
  assert.equal(await eventually(() => terminal.copied(), (text) => text !== undefined), "vm:hello");
});

longTest("a click on the scrubber goes to that time beside a disk that a guest writes, whose file stays the present's", async () => {
  await inFolder(async (folder) => {
    const disk = `${folder}/disk.img`, file = `${folder}/writer.toml`;
    await Deno.writeFile(`${folder}/writer`, await diskWriter());
    await Deno.writeFile(disk, new Uint8Array(1 << 20));
    const devices = 'devices = [{ kind = "pl011" }, { kind = "block", image = "disk.img", mode = "rw" }]';
    await Deno.writeTextFile(
      file,
      `el2 = 1\n[machine]\ncpus = 1\nmemory = "64MiB"\n[host]\nkind = "image"\nkernel = "writer"\n${devices}\n`,
    );
    assert.equal((await run(folder, "up", file, "--name", "s", "--allow-host", disk)).code, 0);
    try {
      await using terminal = await TmuxTerminal.start(`exec env ${shell(folder, "attach", "s")}`, 120, 36);
      await terminal.until(/[0-9a-f]{16}/);
      await clickTimes(terminal, folder, 0.3e9);
      const written = await Deno.readFile(disk);
      assert.ok(written.some((byte) => byte !== 0), "the guest has written");
      await terminal.keys("t", "n");
      await terminal.until(/PAUSED/);
      assert.deepEqual(await Deno.readFile(disk), written);
      await terminal.keys("p");
      await terminal.until(/LIVE/);
      await eventually(() => Deno.readFile(disk), (now) => now.some((byte, at) => byte !== written[at]));
    } finally {
      await run(folder, "down", "s");
    }
  });
});

longTest("a screen whose session's name another one has is a session of the next name, and both continue", async () => {
  await using s = await session();
  assert.equal((await run(s.folder, "up", "demo")).code, 0);
  try {
    await using terminal = await TmuxTerminal.start(`${shell(s.folder, "run", DEMO)}; echo "left with $?"; exec sleep 1000`, 120, 36);
    await terminal.until(/el2 {2}demo-2 {3}. LIVE[\s\S]*(hello from EL1|tick \d)/);
    const listed = JSON.parse((await run(s.folder, "ls", "--json")).stdout) as { data: { id: string; name: string }[] };
    assert.deepEqual(listed.data.map(({ id, name }) => [id, name]), ["demo", "demo-2", "s"].map((name) => [`session:${name}`, name]));
    await terminal.keys("q");
    await terminal.until(/left with 0/);
    assert.match((await run(s.folder, "ls")).stdout, /^name .*\ndemo .*\ns .*\n$/);
  } finally {
    await run(s.folder, "down", "demo");
  }
});

Deno.test("--stdio on a terminal says how to leave, and gives the terminal back", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const command = shell(folder, "run", DEMO, "--stdio", "--console", "hello");
    await using terminal = await TmuxTerminal.start(`${command}; echo "left with $?"; stty -a; exec sleep 1000`, 120, 36);
    await terminal.until(/^el2: all keys go to the guest; ctrl-\] d ends the run\n/);
    await terminal.until(/tick 1/);
    // An interrupt is the guest's.
    await terminal.keys("C-c");
    await terminal.until(/you typed '/);
    await terminal.keys("C-]", "d");
    assert.match(await terminal.until(/left with 130[\s\S]*echoe/), / icanon [\s\S]* echo /);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

longTest(
  "from :start, other sessions are shown read-only where this one is, in a theme they know, and one that has ended is named",
  async () => {
    await using s = await session();
    const guest = new URL("../../assets/guests/hello.bin", import.meta.url).pathname;
    const ui = `[ui]\ntheme = "mine"\n[ui.themes.mine]\nbased_on = "dark"\naccent = "#50c0ff"\n`;
    await Deno.writeTextFile(`${s.folder}/own.toml`, `el2 = 1\n[vm.hello]\nimage = "${guest}"\nmemory = "4MiB"\n${ui}`);
    assert.equal((await run(s.folder, "up", `${s.folder}/own.toml`, "--name", "own", "--allow-host", "all")).code, 0);
    const attach = shell(s.folder, "attach", "own", "--read-only", "--theme", "mine");
    await using terminal = await TmuxTerminal.start(`${attach}; echo "left with $?"; exec sleep 1000`, 120, 36);
    try {
      await terminal.until(/el2 {2}own [\s\S]*(hello from EL1|tick \d)/);
      await terminal.keys(":start", "Enter");
      await terminal.until(/Sessions[\s\S]*own[\s\S]* s /);
      await terminal.keys("s", "Enter");
      await terminal.until(/el2 {2}s [\s\S]*session s is running; q returns to own/);
      await terminal.keys("c");
      await terminal.until(/read-only: cannot type/);
      await terminal.keys(":start", "Enter");
      await terminal.until(/Sessions[\s\S]*own/);
      await run(s.folder, "down", "own");
      await terminal.keys("s", "Enter");
      await terminal.until(/el2 {2}s [\s\S]*session own: no session/);
      await terminal.keys("q");
      await terminal.until(/session own has ended; list the sessions with el2 ls[\s\S]*left with 3/);
    } finally {
      await run(s.folder, "down", "own");
    }
  },
);

longTest(":run in a foreground session: it continues while the other one is shown, and SIGTERM ends both screens at once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const pid = `${folder}/pid`;
  const own = `sh -c "echo \\$\\$ > ${pid}; exec env ${shell(folder, "run", DEMO)}"; echo "left with $?"; exec sleep 1000`;
  try {
    await using terminal = await TmuxTerminal.start(own, 120, 36);
    await terminal.until(/tick 1/);
    await terminal.keys(":run demo", "Enter");
    await terminal.until(/session demo-2 is running; q returns to demo/);
    await terminal.keys("q");
    await terminal.until(/LIVE[\s\S]*tick 3[\s\S]*session demo-2 continues/);
    await terminal.keys(":run demo", "Enter");
    await terminal.until(/session demo-3 is running; q returns to demo/);
    Deno.kill(Number(await Deno.readTextFile(pid)), "SIGTERM");
    await terminal.until(/ended by SIGTERM[\s\S]*session demo-3 continues[\s\S]*left with 143/);
    const { data } = JSON.parse((await run(folder, "ls", "--json")).stdout) as { data: { name: string }[] };
    assert.deepEqual(data.map(({ name }) => name), ["demo-2", "demo-3"]);
  } finally {
    for (const name of ["demo-2", "demo-3"]) await run(folder, "down", name);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("el2 down ends a foreground session, with its screens", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    await using terminal = await TmuxTerminal.start(`${shell(folder, "run", DEMO)}; echo "left with $?"; exec sleep 1000`, 80, 24);
    await terminal.until(/LIVE[\s\S]*tick 1/);
    assert.equal((await run(folder, "down", "demo")).code, 0);
    await terminal.until(/ended by SIGTERM[\s\S]*left with 143/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

longTest("q while :run still starts a session, or t f a fork, names what comes, and what does not", async () => {
  await using s = await session();
  const here = `cd ${s.folder}; ${shell(s.folder, "attach", "s")}; echo "left with $?"; exec sleep 1000`;
  try {
    await using terminal = await TmuxTerminal.start(here, 120, 36);
    await terminal.until(/(hello from EL1|tick \d)/);
    // Keys that are read at once: no session is up before the last of them.
    await terminal.keys(":run demo", "Enter", "t", "f", "q");
    const left = await terminal.until(/left with 0/);
    assert.match(left, /starting demo …[\s\S]*session demo continues; show it with el2 attach demo, end it with el2 down demo/);
    assert.match(left, /a fork …[\s\S]*session s-fork1 continues[\s\S]*session s continues/);
    const { data } = JSON.parse((await run(s.folder, "ls", "--json")).stdout) as { data: { name: string }[] };
    assert.deepEqual(data.map(({ name }) => name), ["demo", "s", "s-fork1"]);
    await using wrong = await TmuxTerminal.start(here, 120, 36);
    await wrong.until(/(hello from EL1|tick \d)/);
    await wrong.keys(":run nosuch", "Enter", "q");
    assert.match(await wrong.until(/left with 0/), /nosuch: nothing was started: image nosuch: no such file/);
  } finally {
    for (const name of ["demo", "s-fork1"]) await run(s.folder, "down", name);
  }
});

Deno.test("W83: a lost session continues from its last snapshot, whoever saved it, in its own session", async () => {
  await using s = await session();
  await using terminal = await TmuxTerminal.start(`${shell(s.folder, "attach", "s")}; echo "left with $?"; exec sleep 1000`, 120, 36);
  await terminal.until(/tick 2/);
  await terminal.keys("c", "x");
  await terminal.until(/typed 'x'/);
  assert.equal((await run(s.folder, "snapshot", "save", `${s.folder}/last.snap`, "--session", "s")).code, 0);
  await run(s.folder, "down", "s");
  await terminal.until(/LOST[\s\S]*s open last snapshot/);
  await terminal.keys("s");
  await terminal.until(/last snapshot: .*\/last\.snap/);
  await terminal.keys("s");
  try {
    await terminal.until(/el2 {2}last\.snap +. LIVE[\s\S]*typed 'x'[\s\S]*session last\.snap is running/);
    await terminal.keys("c", "y");
    await terminal.until(/typed 'y'/);
    await terminal.keys("C-]", "d", "q");
    const left = await terminal.until(/left with 0/);
    assert.match(left, /lost the connection to s[\s\S]*session last\.snap continues; show it with el2 attach last\.snap/);
  } finally {
    await run(s.folder, "down", "last.snap");
  }
});

Deno.test("W76: ctrl-z gives a sane terminal to the shell, fg paints again", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    await using terminal = await TmuxTerminal.start("env PS1='ready> ' bash --norc --noprofile -i", 120, 36);
    await terminal.until(/ready>/);
    await terminal.keys(`${shell(folder)}`, "Enter");
    await terminal.until(/Console[\s\S]*Events/);
    await terminal.keys("C-z");
    await terminal.until(/Stopped/);
    assert.deepEqual(await terminal.modes(), SANE);
    await terminal.keys("stty -a | grep -o '[-]*icanon\\|[-]*echo '", "Enter");
    const modes = await terminal.until(/^icanon[\s\S]*^echo/m);
    assert.doesNotMatch(modes, /^-icanon/m);
    await terminal.keys("fg", "Enter");
    await terminal.until(/^ el2 {2}demo[\s\S]*Console[\s\S]*Events/);
    await terminal.keys("q");
    await terminal.until(/ready>\s*$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("W71: a wrong configuration is a screen: Enter opens the editor at the line, and a right one runs", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const guest = new URL("../../assets/guests/hello.bin", import.meta.url).pathname;
    await Deno.writeTextFile(`${folder}/bad.toml`, `el2 = 1\n[machine]\ncpus = 99\n[vm.hello]\nimage = "${guest}"\nvcpus = 20\n`);
    await Deno.writeTextFile(`${folder}/editor`, `#!/bin/sh\necho "editor $1"; read answer; sed -i 's/= 99/= 2/; s/= 20/= 1/' "$2"\n`, {
      mode: 0o755,
    });
    await using terminal = await TmuxTerminal.start(
      `exec env EDITOR=${folder}/editor ${shell(folder, "run", `${folder}/bad.toml`, "--allow-host", "all")}`,
      100,
      30,
    );
    const shown = await terminal.until(/bad\.toml has 2 errors; nothing was started/);
    assert.match(shown, /3:8 +cpus = 99\n +\^ cpus 99 is outside 1\.\.8/);
    // Another program fixes a line: r checks again.
    const text = await Deno.readTextFile(`${folder}/bad.toml`);
    await Deno.writeTextFile(`${folder}/bad.toml`, text.replace("99", "98"));
    await terminal.keys("j", "r");
    await terminal.until(/cpus 98 is outside 1\.\.8[^]*[▌>]6:9/);
    await Deno.writeTextFile(`${folder}/bad.toml`, text);
    await terminal.keys("Enter");
    await terminal.until(/editor \+6/);
    await terminal.keys("Enter");
    await terminal.until(/Virtual machines[\s\S]*hello/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a run without a screen ends in order when its terminal goes away: its recording is whole", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const file = `${folder}/demo.rec`;
    {
      await using terminal = await TmuxTerminal.start(`exec env ${shell(folder, "run", DEMO, "--headless", "--record", file)}`, 100, 30);
      await terminal.until(/hello\| tick 1/);
    }
    const limit = performance.now() + PATIENCE;
    const whole = async () => (await Deno.readTextFile(file)).includes('{"sha256"');
    while (!await whole()) {
      assert.ok(performance.now() < limit, "the recording is not sealed");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal((await run(folder, "replay", file, "--verify")).code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
