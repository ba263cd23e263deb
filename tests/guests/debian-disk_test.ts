// A Debian with a disk from an empty cache: made without root, interrupted once, then run with
// network, a shared folder, apt and a power cut. It fetches 120 MB and takes minutes: EL2_LONG.

import assert from "node:assert/strict";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { fileSha256 } from "../../src/kit/support/files/cache.ts";
import { ConsoleProgram, DISK_PROMPT } from "../support/console.ts";
import { buildRepository } from "../support/debian-repository.ts";
import { el2Command } from "../support/el2.ts";
import { sha256 } from "../../src/kit/support/values/sha256.ts";
import { buildMirror, fileAnswer, serving, signed } from "../support/signed-mirror.ts";
import { LONG } from "../support/long.ts";

const BOOT = 600;
const COMMAND = 300;
const FILE_MIB = 64;

/** Starts `el2 ARGS` with its own cache. */
function start(cache: string, ...args: string[]): Deno.ChildProcess {
  const [program, ...rest] = el2Command(...args);
  return new Deno.Command(program, { args: rest, env: { EL2_CACHE: cache }, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
}

/** Runs `el2 ARGS` to its end. */
async function finish(cache: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await start(cache, ...args).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Starts a fetch and kills it when the guest has configured some packages. */
async function interruptedFetch(cache: string): Promise<void> {
  const child = start(cache, "guests", "fetch", "debian", "--disk");
  let text = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("configuring packages in the guest")) child.kill("SIGKILL");
  }
  await child.stdout.cancel();
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL", text);
}

function login(cache: string, ...args: string[]): ConsoleProgram {
  return new ConsoleProgram(["env", `EL2_CACHE=${cache}`, ...el2Command(...args, "--stdio", "--turbo")]);
}

async function logIn(console: ConsoleProgram): Promise<void> {
  await console.expect(/debian login: $/, BOOT);
  await console.type("root");
  await console.expect(DISK_PROMPT, COMMAND);
}

async function usesNetworkAndShare(cache: string, work: string): Promise<void> {
  const share = `${work}/share`;
  await Deno.mkdir(share);
  await Deno.writeTextFile(`${share}/from-host`, "hello guest\n");
  await buildRepository(`${work}/repository`, [{
    name: "el2-test",
    file: "usr/bin/el2-test",
    content: "#!/bin/sh\necho it runs\n",
    mode: 0o755,
  }]);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = `${work}/repository${new URL(request.url).pathname}`;
    try {
      return new Response(await Deno.readFile(path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return new Response(null, { status: 404 });
      throw error;
    }
  });
  const { port } = server.addr as Deno.NetAddr;

  await using console = login(cache, "boot", "debian", "--net", "user,host=yes", "--share", share);
  await logIn(console);
  await console.type(
    "systemctl --failed --no-legend --plain | cat; cat /mnt/share/from-host; echo hello host > /mnt/share/from-guest; echo shared",
  );
  await console.expect(/hello guest\nshared\n/, COMMAND);
  assert.equal(await Deno.readTextFile(`${share}/from-guest`), "hello host\n");
  await console.type(
    `echo 'deb [trusted=yes] http://10.0.2.2:${port}/ ./' > /etc/apt/sources.list; apt-get update && apt-get install -y el2-test && el2-test`,
  );
  await console.expect(/\nit runs\n/, COMMAND);
  await console.type("stat -c '%U:%G %a' /usr/sbin/unix_chkpwd /usr/bin/passwd; dpkg --audit; echo audited");
  await console.expect(/root:shadow 2755\nroot:root 4755\naudited\n/, COMMAND);
  await console.type("poweroff");
  const { code, stderr } = await console.end();
  assert.equal(code, 0, stderr);
}

/**
 * apt accepts a repository whose release file is of this day alone: the guest has the computer's
 * clock.
 */
async function updatesPackages(console: ConsoleProgram, work: string, url: string): Promise<void> {
  const folder = `${work}/today`;
  const { list, privateKey, publicKey } = await buildMirror(folder, [{ name: "el2-today", file: "usr/share/el2/today" }]);
  const day = 86_400_000, at = (time: number) => new Date(time).toUTCString().replace("GMT", "UTC");
  const release = [
    ...["Origin: el2", "Suite: stable", "Codename: stable", "Architectures: arm64", "Components: main"],
    `Date: ${at(Date.now() - 3_600_000)}`,
    `Valid-Until: ${at(Date.now() + day)}`,
    `SHA256:\n ${await sha256(list)} ${list.length} main/binary-arm64/Packages.gz`,
    // Without the list as it is unpacked, apt passes over it.
    ` ${await fileSha256(`${folder}/Packages`)} ${(await Deno.stat(`${folder}/Packages`)).size} main/binary-arm64/Packages\n`,
  ].join("\n");
  await Deno.writeTextFile(`${folder}/dists/stable/InRelease`, await signed(release, privateKey));
  await console.type(`cat > /etc/apt/today.asc <<'END'\n${publicKey.replaceAll("\r", "").trim()}\nEND`);
  await console.expect(DISK_PROMPT, COMMAND);
  await console.type(
    `echo 'deb [signed-by=/etc/apt/today.asc] ${url} stable main' > /etc/apt/sources.list; apt-get update; echo update-$?`,
  );
  await console.expect(/Get:\d+ .* stable InRelease[^]*update-0\n/, COMMAND);
  await console.type("apt-get install -y el2-today; cat /usr/share/el2/today");
  await console.expect(/contents of el2-today/, COMMAND);
}

/**
 * Synchronized data survives the kill of the program, and the file system needs only its journal.
 */
async function survivesPowerCut(cache: string, work: string): Promise<void> {
  const guest = `${cache}/guests/debian-bookworm-disk`;
  const disk = `${work}/root.img`;
  await Deno.copyFile(`${guest}/root.img`, disk);
  const images = [`${guest}/Image`, "--initrd", `${guest}/initrd`, "--append", "console=ttyAMA0 root=/dev/vda"];
  let written: string;
  {
    await using console = login(cache, "boot", ...images, "--disk", disk, "--net", "user,host=yes", "--memory", "512MiB");
    await logIn(console);
    await serving((request) => fileAnswer(`${work}/today`, request), async (url) => {
      await updatesPackages(console, work, url.replace("127.0.0.1", "10.0.2.2"));
    });
    await console.type(`dd if=/dev/urandom of=/root/f bs=1M count=${FILE_MIB} 2>/dev/null; sync; sha256sum /root/f`);
    [, written] = await console.expect(/([0-9a-f]{64}) {2}\/root\/f$/m, COMMAND);
  }
  const fsck = await new Deno.Command(await nativeProgram("e2fsck"), { args: ["-p", disk] }).output();
  assert.ok(fsck.code === 0 || fsck.code === 1, new TextDecoder().decode(fsck.stdout));
  const dump = await new Deno.Command(await nativeProgram("debugfs"), { args: ["-R", `dump /root/f ${work}/f`, disk] }).output();
  assert.equal(dump.code, 0, new TextDecoder().decode(dump.stderr));
  assert.equal(await fileSha256(`${work}/f`), written);
}

if (LONG) {
  for (const release of ["trixie", "sid"]) {
    Deno.test(`a ${release} with a disk is made from nothing, gives a login with network, and powers off`, async () => {
      const work = await Deno.makeTempDir({ prefix: "el2-debian-disk-" });
      const cache = `${work}/cache`;
      try {
        const fetched = await finish(cache, "guests", "fetch", "debian", "--disk", "--release", release);
        assert.equal(fetched.code, 0, fetched.stderr);
        await using console = login(cache, "boot", `debian-${release}-disk`);
        await logIn(console);
        await console.type(
          ". /etc/os-release; echo name-$PRETTY_NAME; systemctl --failed --no-legend --plain | cat; echo checked",
        );
        // `Debian GNU/Linux 13 (trixie)`; sid's is `Debian GNU/Linux forky/sid`, with the code name
        // of the next release.
        await console.expect(new RegExp(`name-Debian .*\\b${release}\\b.*\nchecked\n`), COMMAND);
        await console.type("echo addresses-$(ip -4 addr show scope global | grep -c inet); dpkg --audit; echo audited");
        await console.expect(/addresses-1\naudited\n/, COMMAND);
        await console.type("poweroff");
        const { code, stderr } = await console.end();
        assert.equal(code, 0, stderr);
      } finally {
        await Deno.remove(work, { recursive: true });
      }
    });
  }

  Deno.test("a Debian with a disk is built from packages, runs with network and share, updates and installs packages, and survives a power cut", async () => {
    const work = await Deno.makeTempDir({ prefix: "el2-debian-disk-" });
    const cache = `${work}/cache`;
    try {
      await interruptedFetch(cache);
      const none = await finish(cache, "guests", "ls");
      assert.deepEqual([none.code, none.stdout], [0, ""], "nothing is half made");
      const fetched = await finish(cache, "guests", "fetch", "debian", "--disk", "--json");
      assert.equal(fetched.code, 0, fetched.stderr);
      const files = JSON.parse(fetched.stdout).files.map(({ name }: { name: string }) => name);
      assert.deepEqual(files, ["Image", "initrd", "root.img"]);
      assert.equal((await finish(cache, "guests", "ls", "--check")).code, 0);
      await usesNetworkAndShare(cache, work);
      await survivesPowerCut(cache, work);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  });
}
