// `el2 serve`: a session in pages.

import assert from "node:assert/strict";
import { el2Refused, el2With, type Outcome } from "../../program.ts";
import { el2Command } from "../../../../support/el2.ts";
import { Browser } from "../../../../support/browser.ts";
import { eventually } from "../../../../support/eventually.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { PageClient } from "../../../../support/page-client.ts";

interface Served {
  readonly link: string;
  readonly ended: Promise<Deno.CommandStatus>;
  readonly said: () => string;
  kill(signal: Deno.Signal): void;
}

/** A session of the demo, and `serve` for it. */
class Place {
  readonly #started: Deno.ChildProcess[] = [];

  constructor(readonly folder: string) {}

  get environment(): Record<string, string> {
    return { XDG_RUNTIME_DIR: this.folder, XDG_STATE_HOME: `${this.folder}/state`, LANG: "C.UTF-8" };
  }

  run(...args: string[]): Promise<Outcome> {
    return el2With(this.environment, ...args);
  }

  async serve(...args: string[]): Promise<Served> {
    const [program, ...rest] = el2Command("serve", ...args);
    const process = new Deno.Command(program, { args: rest, env: this.environment, stdin: "null", stdout: "piped", stderr: "piped" })
      .spawn();
    this.#started.push(process);
    let errors = "";
    const heard = (async () => {
      for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) errors += text;
    })();
    let link = "";
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      link += text;
      if (link.endsWith("\n")) break;
    }
    assert.match(link, /^http:\/\/[\d.]+:\d+\/#[0-9a-f]{64}\n$/, errors);
    return {
      link: link.trim(),
      ended: process.status.then(async (status) => (await heard, status)),
      said: () => errors,
      kill: (signal) => process.kill(signal),
    };
  }

  /** Names of the files of sessions that a serving process leaves. */
  leftovers(): string[] {
    return Array.from(Deno.readDirSync(`${this.folder}/el2`), ({ name }) => name).filter((name) => /\.web$|^\./.test(name));
  }

  async close(): Promise<void> {
    await this.run("down", "s");
    await Promise.all(this.#started.map((process) => process.status));
  }
}

function withSession(work: (place: Place) => Promise<void>): () => Promise<void> {
  return () =>
    inFolder(async (folder) => {
      const place = new Place(folder);
      assert.equal((await place.run("up", "demo", "--name", "s")).code, 0);
      try {
        await work(place);
      } finally {
        await place.close();
      }
    });
}

const isPaused = async (place: Place) => {
  const { stdout } = await place.run("ls");
  return /^s +.*paused/m.test(stdout);
};

Deno.test(
  "a browser shows the session's screens and takes keys; it only looks, and serve --end ends it without leftovers",
  withSession(async (place) => {
    const served = await place.serve("s");
    {
      await using browser = await Browser.start();
      const page = await browser.open(served.link, { width: 1200, height: 800, dark: true });
      await page.shows(".xterm-rows", /READ-ONLY[^]*Virtual machines[^]*hello/);
      await page.type("2");
      await page.shows(".xterm-rows", /vcpu:|vCPUs 4|Registers/);
      assert.deepEqual(page.complaints, []);
      assert.equal(await page.value("document.title"), "s - el2");
      const again = await place.run("serve", "s");
      assert.deepEqual([again.code, /session s is served already.*el2 serve s --end/s.test(again.stderr)], [2, true], again.stderr);
      const ended = await place.run("serve", "s", "--end");
      assert.equal(ended.code, 0, ended.stderr);
      await page.shows("#message", /not served any more/);
    }
    assert.equal((await served.ended).code, 0);
    assert.deepEqual(place.leftovers(), []);
    const none = await place.run("serve", "s", "--end");
    assert.deepEqual([none.code, none.stderr], [1, "el2: session s is not served\n"]);
  }),
);

Deno.test(
  "a page that only looks changes nothing; with --control it does, and Ctrl-C ends both without leftovers",
  withSession(async (place) => {
    const looks = await place.serve("s");
    {
      using page = await PageClient.open(looks.link);
      await page!.shows(/READ-ONLY/);
      page!.type("p");
      await page!.shows(/read-only/);
      assert.equal(await isPaused(place), false);
      looks.kill("SIGINT");
      assert.match(await page!.closed, /not served any more/);
    }
    assert.equal((await looks.ended).code, 130);
    const controls = await place.serve("s", "--control");
    using page = await PageClient.open(controls.link);
    await page!.shows(/Virtual machines/);
    page!.type("p");
    await eventually(() => isPaused(place), (paused) => paused);
    controls.kill("SIGINT");
    assert.equal((await controls.ended).code, 130);
    assert.deepEqual(place.leftovers(), []);
  }),
);

Deno.test(
  "with --follow pages show one screen, and the session's end ends serve with its reason",
  withSession(async (place) => {
    const served = await place.serve("s", "--follow");
    using leader = await PageClient.open(served.link, { columns: 130, rows: 40 });
    await leader!.shows(/Virtual machines/);
    using follower = await PageClient.open(served.link);
    assert.deepEqual(await follower!.hears("follow"), { kind: "follow", columns: 130, rows: 40 });
    await follower!.shows(/Virtual machines/);
    follower!.type("4");
    leader!.type("9");
    await follower!.shows(/kind|Kind/);
    leader!.type("?");
    for (const page of [leader, follower]) await page!.shows(/help|Help/);
    assert.equal((await place.run("down", "s")).code, 0);
    assert.match(await follower!.closed, /ended/);
    assert.equal((await served.ended).code, 3);
    assert.match(served.said(), /session s has ended|the session/);
  }),
);

const OTHER = 65534;

/**
 * Output of a shell command, or undefined where it fails: as another user if this one is root, who
 * alone can be others. Without root the same is asked as this user, and modes say the rest.
 */
async function asOther(command: string): Promise<string | undefined> {
  const other = Deno.uid() === 0 ? { uid: OTHER, gid: OTHER } : {};
  // The checkout may be a folder that only its owner can enter.
  const { success, stdout } = await new Deno.Command("/bin/sh", { args: ["-c", command], cwd: "/", ...other, stderr: "null" }).output();
  return success ? new TextDecoder().decode(stdout) : undefined;
}

Deno.test(
  "another user of the computer gets the page's files, and neither the token, a screen nor the end of serve",
  withSession(async (place) => {
    const served = await place.serve("s"), { host, port, hash } = new URL(served.link);
    const ask = (path: string, ...lines: string[]) => {
      const text = [`GET ${path} HTTP/1.0`, `Host: ${host}`, ...lines, "", ""].join("\\r\\n");
      const perl = `$c = IO::Socket::INET->new("127.0.0.1:${port}") or exit 1; print $c "${text}"; print <$c>`;
      return asOther(`perl -MIO::Socket::INET -e '${perl.replaceAll("\\\\", "\\")}'`);
    };
    const page = await ask("/");
    assert.match(page ?? "", /200 OK[^]*<main id="terminal">/);
    const seen = [page, await asOther("ps -eo args"), await asOther("cat /proc/*/cmdline; true")].join("\n");
    assert.ok(seen.includes("serve") && !seen.includes(hash.slice(1)));
    // Nobody else may enter the folder, read a file in it, or use a socket.
    const own = `${place.folder}/el2`, web = `${own}/s.web`, files = Array.from(Deno.readDirSync(own), ({ name }) => `${own}/${name}`);
    assert.ok(files.includes(web));
    for (const path of [own, ...files]) assert.equal(Deno.lstatSync(path).mode! & 0o077, 0, path);
    if (Deno.uid() === 0) {
      const connect = `socket(S,PF_UNIX,SOCK_STREAM,0); connect(S,sockaddr_un("${web}")) or exit 1; syswrite(S,chr(1))`;
      assert.equal(await asOther(`perl -MSocket -e '${connect}'`), undefined);
    }
    assert.match(await ask("/screens", `Origin: http://${host}`, "Connection: Upgrade", "Upgrade: websocket") ?? "", /403 Forbidden/);
    using screen = await PageClient.open(served.link);
    await screen!.shows(/Virtual machines/);
  }),
);

Deno.test(
  "what somebody else has put where serve has its socket is neither used, followed nor replaced",
  withSession(async (place) => {
    const web = `${place.folder}/el2/s.web`, precious = `${place.folder}/precious`;
    const refused = async (why: RegExp) => {
      for (const more of [[], ["--end"]]) {
        const { code, stdout, stderr } = await place.run("serve", "s", ...more);
        assert.deepEqual([code, stdout], [2, ""], stderr);
        assert.match(stderr, why);
        assert.doesNotMatch(stderr, /\n {4}at /);
      }
    };
    Deno.writeTextFileSync(precious, "keep me\n");
    Deno.symlinkSync(precious, web);
    await refused(/s\.web is not a socket/);
    assert.deepEqual([Deno.readLinkSync(web), Deno.readTextFileSync(precious)], [precious, "keep me\n"]);
    Deno.removeSync(web);
    if (Deno.uid() !== 0) return;
    // One who listens there learns nothing.
    using listener = Deno.listen({ transport: "unix", path: web });
    let heard = 0;
    const hearing = listener.accept().then(() => heard++, () => {});
    Deno.chownSync(web, OTHER, OTHER);
    await refused(/s\.web belongs to user 65534, not to you \(0\)/);
    assert.deepEqual([heard, Deno.lstatSync(web).uid], [0, OTHER]);
    listener.close();
    await hearing;
  }),
);

/** An address of this computer that is not of this computer alone. */
async function ownAddress(): Promise<string> {
  const { stdout } = await new Deno.Command("hostname", { args: ["-I"] }).output();
  const address = new TextDecoder().decode(stdout).split(/\s+/).find((one) => /^[\d.]+$/.test(one));
  assert.ok(address, "this computer has no address in a network");
  return address;
}

Deno.test(
  "serve listens at 127.0.0.1, and elsewhere only where an address is named, with a warning",
  withSession(async (place) => {
    const served = await place.serve("s");
    assert.equal(new URL(served.link).hostname, "127.0.0.1");
    assert.equal((await place.run("serve", "s", "--end")).code, 0);
    await served.ended;
    assert.doesNotMatch(served.said(), /warning/);
    const address = await ownAddress(), farther = await place.serve("s", "--listen", `${address}:0`);
    assert.equal(new URL(farther.link).hostname, address);
    {
      using page = await PageClient.open(farther.link);
      await page!.shows(/READ-ONLY/);
      const { port } = new URL(farther.link);
      await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: Number(port) }), Deno.errors.ConnectionRefused);
    }
    assert.equal((await place.run("serve", "s", "--end")).code, 0);
    await farther.ended;
    const warned = `el2: warning: ${address} is reached from other computers, without encryption: who sees the traffic has the key`;
    assert.ok(farther.said().includes(warned), farther.said());
  }),
);

Deno.test("wrong values of --listen are errors of use", async () => {
  const said = async (...args: string[]) => {
    const { code, stderr } = await el2Refused(["serve", ...args]);
    return `${code} ${stderr}`;
  };
  for (
    const where of [
      "",
      "x",
      "70000",
      "1:2:3",
      "a b:80",
      "http://127.0.0.1:80",
      ":80",
      "0:80",
      "999.1.1.1:80",
      "host.example:80",
      "[::g]:80",
    ]
  ) {
    assert.match(await said("--listen", where), /^2 el2: --listen: ".*" is neither a port nor ADDRESS:PORT/, where);
  }
  for (const where of ["0.0.0.0:8080", "[::]:8080", "[0:0::0]:80"]) {
    assert.match(await said("--listen", where), /^2 el2: --listen: \S+ is every address of this computer; name one/, where);
  }
});
