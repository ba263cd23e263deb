// Abilities of an installed el2, tested by the one file: guests, editors, agents, schemas,
// Wireshark, own programs, pictures, shells. The commands' own tests cover them in depth; these
// show that the build has all that they need, with EL2_LONG in every form.

import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { Ajv } from "ajv";
import { parse } from "smol-toml";
import { fishCommand, nativeProgram, tsharkCommand, zshSettings } from "../../scripts/native-tools.ts";
import { Qcow2 } from "../../src/kit/formats/qcow2.ts";
import { sha256 } from "../../src/kit/support/values/sha256.ts";
import { acceptedBy, UNKNOWABLE } from "../app/configuration/wrong-configurations.ts";
import { DapClient } from "../session/debug/dap/client.ts";
import { DISK, QCOW2 } from "../support/disk-images.ts";
import { repositoryFiles } from "../support/files.ts";
import { LONG } from "../support/long.ts";
import { buildMirror, fileAnswer, serving } from "../support/signed-mirror.ts";
import { runIn } from "./programs.ts";
import { TmuxTerminal } from "../terminal/tmux.ts";
import type { Artefact, AsUser, Environment, User } from "./user.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HELLO = `${ROOT}assets/guests/hello.bin`;

/** The tests. */
export function abilityTests(artefact: Artefact, ability: AsUser): void {
  const longArtefact: Artefact = LONG ? artefact : () => {};
  artefact(
    "a JSON Schema library finds no error in the examples by the schemas that the build prints, and refuses wrong configurations",
    ability(async (user) => {
      const ajv = new Ajv({ allErrors: true, strict: false });
      ajv.addFormat("regex", true);
      const compile = async (name: string) => {
        const schema = JSON.parse(await user.output("reference", "schema", name));
        // The published schemas are tested in depth.
        assert.deepEqual(schema, JSON.parse(await Deno.readTextFile(`${ROOT}docs/reference/${name}.schema.json`)));
        return ajv.compile(schema);
      };
      const [config, scenario] = await Promise.all(["config", "scenario"].map(compile));
      const examples = [...repositoryFiles("examples/", ".toml")];
      assert.ok(examples.length > 0);
      for (const path of examples) {
        const validate = path.endsWith(".test.toml") ? scenario : config;
        assert.ok(validate(parse(await Deno.readTextFile(`${ROOT}${path}`))), `${path}: ${JSON.stringify(validate.errors)}`);
      }
      assert.deepEqual(acceptedBy(config), Object.keys(UNKNOWABLE).sort(), "wrong configurations");
    }),
  );

  longArtefact(
    "a recording of the build becomes a capture that tshark decodes by its dissector, and pictures",
    ability(async (user) => {
      await user.output("run", "--record", "demo.rec", "demo", "--headless", "--turbo", "--for", "30ms");
      await user.output("trace", "export", "demo.pcapng", "--recording", "demo.rec");
      await user.write("el2.lua", await user.output("trace", "dissector"));
      const [tshark, ...args] = await tsharkCommand();
      const show = ["-X", "lua_script:el2.lua", "-r", "demo.pcapng", "-Y", "gunyah.kind == 1 || _ws.lua.error || rmrpc.short"];
      const fields = ["rmrpc.id", "_ws.col.Info", "_ws.lua.error", "rmrpc.short"].flatMap((name) => ["-e", name]);
      const decoded = await runIn(user.here, tshark, [...args, ...show, "-T", "fields", ...fields], Deno.env.toObject());
      assert.equal(decoded.code, 0, decoded.stderr);
      const rpcs = decoded.stdout.split("\n").filter(Boolean).map((line) => line.split("\t"));
      assert.ok(rpcs.length > 40, `${rpcs.length} packets`);
      for (const [id, info, ...wrong] of rpcs) {
        assert.ok(id !== "" && /^(?:request|reply|continuation|notification) [A-Z_]+/.test(info), info);
        assert.deepEqual(wrong, ["", ""], info);
      }

      await user.output("screenshot", "a.svg", "--recording", "demo.rec", "--size", "80x24");
      assert.match(await user.read("a.svg"), /^<svg /);
    }),
  );

  artefact(
    "without apt, the build refuses packages that Debian has not signed, and adds an image by its checksum",
    ability(async (user) => {
      // The file unpacks itself by programs of the system, and needs none after that.
      await user.output("--version");
      const alone = user.with({ PATH: user.here });
      const mirror = await buildMirror(`${user.here}/mirror`, [{ name: "linux-image-cloud-arm64", file: "boot/vmlinuz" }]);
      await Deno.symlink("stable", `${mirror.folder}/dists/bookworm`);
      const fetched = await alone.run("guests", "fetch", "debian", "--mirror", mirror.folder);
      assert.equal(fetched.code, 1);
      assert.match(fetched.stderr, /the mirror's release file has no valid signature of the Debian archive: /);
      const image = await Deno.readFile(HELLO);
      await Deno.writeFile(`${mirror.folder}/hello.bin`, image);
      await serving((request) => fileAnswer(mirror.folder, request), async (url) => {
        const wrong = await alone.run("guests", "add", "mine", `${url}/hello.bin#sha256=${"0".repeat(64)}`);
        assert.equal(wrong.code, 1, wrong.stderr);
        await alone.output("guests", "add", "mine", `${url}/hello.bin#sha256=${await sha256(image)}`);
      });
      assert.match(await alone.output("run", "mine", "--turbo", "--for", "100ms"), /hello from EL1/);

      // A packed qcow2 image comes in, and goes out as another one.
      await Deno.writeFile(`${alone.here}/disk.qcow2.zst`, Uint8Array.from(zstdCompressSync(QCOW2.zlib)));
      await alone.output("guests", "add", "disk", HELLO, "--disk", "disk.qcow2.zst");
      await alone.output("guests", "export", "disk", "out.qcow2");
      const file = await Deno.readFile(`${alone.here}/out.qcow2`);
      const out = new Qcow2((offset, size) => file.subarray(offset, offset + size), file.length), disk = new Uint8Array(out.size);
      for (const [at, bytes] of out.clusters()) disk.set(bytes, at);
      assert.deepEqual(disk, DISK);
    }),
  );

  artefact(
    "an editor and an agent use the build over stdin and stdout",
    ability(async (user) => {
      await Deno.copyFile(HELLO, `${user.here}/hello.bin`);
      const vm = `image = "hello.bin"\nmemory = "4MiB"\n`;
      await user.write("el2.toml", `el2 = 1\n[vm.one]\n${vm}[vm.two]\n${vm}`);
      const child = user.start("dap");
      {
        await using editor = new DapClient(child.stdout, child.stdin, child.status);
        const capabilities = await editor.ask<DebugProtocol.Capabilities>("initialize", { adapterID: "el2" });
        assert.equal(capabilities.supportsStepBack, true);
        await editor.ask("launch", { what: "el2.toml", turbo: true, stopOnEntry: true });
        await editor.event("initialized");
        const entry = editor.event("stopped");
        await editor.ask("configurationDone");
        const { threadId } = (await entry).body;
        const { threads } = await editor.ask<DebugProtocol.ThreadsResponse["body"]>("threads");
        assert.deepEqual(threads.map(({ name }) => name.split(" ")[0]).sort(), ["vcpu:one/0", "vcpu:two/0"]);
        const step = { threadId, granularity: "instruction" };
        const pc = await editor.value("$pc");
        await editor.stop("next", step);
        assert.notEqual(await editor.value("$pc"), pc);
        await editor.stop("stepBack", step);
        assert.equal(await editor.value("$pc"), pc);
        await editor.ask("disconnect");
      }

      const agent = new Client({ name: "tests", version: "1" });
      await agent.connect(new StdioClientTransport({ command: user.program, args: ["mcp"], env: user.env, cwd: user.here }));
      const { tools } = await agent.listTools();
      assert.ok(tools.length > 0);
      assert.deepEqual(
        tools.filter((tool: { annotations?: { readOnlyHint?: boolean } }) => tool.annotations?.readOnlyHint !== true),
        [],
        "without --allow-change",
      );
      const { content } = await agent.callTool({ name: "reference_spec", arguments: { name: "hypervisor" } });
      assert.ok(JSON.stringify(content).length > 100, JSON.stringify(content));
      await agent.close();
    }),
  );

  artefact(
    "a configuration starts no programs; a key starts one of the user with the fields of its row",
    ability(async (user) => {
      const commands = `[[ui.command]]\nname = "more"\nkey = "Z"\nwhere = ["vm"]\nrun = ["cp", "-v", "el2.toml", "of-{name}"]\n`;
      await Deno.copyFile(HELLO, `${user.here}/hello.bin`);
      const machine = `el2 = 1\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n`;
      await user.write("el2.toml", machine + commands);
      const refused = await user.run("run", "el2.toml", "--headless", "--for", "100ms", "--turbo");
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /unknown key "command" in \[ui\]; commands belong in your own /);
      await user.write("el2.toml", machine);
      await Deno.mkdir(`${user.here}/config/el2`, { recursive: true });
      await user.write("config/el2/ui.toml", commands);

      const screens = inTerminal(user.here, { ...user.env, XDG_CONFIG_HOME: `${user.here}/config` }, [user.program, "run", "el2.toml"]);
      await using terminal = await TmuxTerminal.start(screens, 120, 36);
      await terminal.until(/[▌>] *. +a\b/);
      await terminal.keys("Z");
      await terminal.until(/[━─=] more {2}done/);
      await terminal.until(/'el2\.toml' -> 'of-a'/);
      assert.equal(await user.read("of-a"), await user.read("el2.toml"));
    }),
  );

  artefact(
    "a session of the build has lists in every form, watched lists, logs, completion and manual pages",
    ability(async (user) => {
      await user.output("up", "demo", "--name", "one");
      try {
        const columns = await user.output("vm", "ls", "--columns", "id,state", "-o", "tsv");
        assert.match(columns, /^id\tstate\n[^]*^vm:hello\t\w+$/m);
        const wide = await user.output("vm", "ls", "-o", "wide");
        for (const row of columns.trim().split("\n").slice(1)) assert.ok(wide.includes(row.split("\t")[0]), `${row}\n${wide}`);
        if (LONG) await watchedAndCompleted(user);
      } finally {
        await user.output("down", "one");
      }
      assert.match(await user.output("man", "vm", "ls"), /^\.TH EL2-VM-LS 1 [^]*\n\.SH EXAMPLES\n\.nf\n\.B el2 vm ls\n/);
      const checks = JSON.parse((await user.run("doctor", "--json")).stdout).data;
      assert.deepEqual(checks.map(({ id }: { id: string }) => id).slice(0, 3), ["platform", "limits", "memory"]);
    }),
  );
}

/** Lists that are watched, logs, pictures and completion of the user's session. */
async function watchedAndCompleted(user: User): Promise<void> {
  await user.until(/vm:hello[^]*vm:hello/, "vm", "ls", "--watch", "--columns", "id");
  await user.until(/hello from EL1/, "logs", "-f", "hello", "ping");
  await user.output("screenshot", "live.txt", "--size", "80x24");
  assert.match(await user.read("live.txt"), /vm:hello|hello/);
  const bash = `. ./el2.bash; COMP_WORDS=(el2 vm devices p); COMP_CWORD=3; _el2; printf '%s\\n' "\${COMPREPLY[@]}"`;
  await user.write("el2.bash", `el2() { '${user.program}' "$@"; }\n${await user.output("completion", "bash")}`);
  const completed = await runIn(user.here, "bash", ["--norc", "-c", bash], user.env);
  assert.deepEqual(completed.stdout.trim().split(/\s+/), ["ping", "pong"], completed.stderr);
  await completesInZshAndFish(user);
}

/** VMs of the user's session complete in both shells, with their states. */
async function completesInZshAndFish(user: User): Promise<void> {
  const { here, program } = user;
  for (const folder of ["bin", ".zfunc"]) await Deno.mkdir(`${here}/${folder}`);
  // Libraries of unpacked shells are not those of el2.
  await user.write("bin/el2", `#!/bin/sh\nunset LD_LIBRARY_PATH\nexec '${program}' "$@"\n`);
  await Deno.chmod(`${here}/bin/el2`, 0o755);
  const { env } = user.with({ PATH: `${here}/bin:${user.env.PATH}`, ZDOTDIR: here });

  await user.write("el2.fish", await user.output("completion", "fish"));
  const [fish, ...args] = await fishCommand();
  const offered = await runIn(here, fish, [...args, "-c", `source el2.fish; complete -C "el2 vm devices p"`], env);
  assert.match(offered.stdout, /^ping\t\w+\npong\t\w+\n$/, offered.stderr);

  // As the help of el2 completion says.
  await user.write(".zfunc/_el2", await user.output("completion", "zsh"));
  await user.write(".zshenv", await zshSettings());
  await user.write(".zshrc", `PS1='> '\nfpath+=${here}/.zfunc\nautoload -U compinit && compinit -u -D\n`);
  await using terminal = await TmuxTerminal.start(inTerminal(here, env, [await nativeProgram("zsh"), "-i"]), 80, 24);
  await terminal.until(/^>/m);
  await terminal.keys("el2 vm devices p", "Tab");
  await terminal.until(/^ping +-- \w+\npong +-- \w+$/m);
  await terminal.keys("i", "Tab", "x");
  await terminal.until(/^> el2 vm devices ping x$/m);
}

/** A line for a shell in a terminal that becomes a program with this environment alone. */
function inTerminal(folder: string, env: Environment, command: readonly string[]): string {
  const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command];
  return `cd '${folder}' && exec env -i "TERM=$TERM" ${words.map((word) => `'${word}'`).join(" ")}`;
}
