import assert from "node:assert/strict";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { Place } from "../../place.ts";
import { el2 } from "../../program.ts";
import { fishCommand, nativeProgram } from "../../../../../scripts/native-tools.ts";
import { denoFolder, el2Command } from "../../../../support/el2.ts";
import { eventually } from "../../../../support/eventually.ts";
import { makeProgram } from "../../../../../src/app/cli/main.ts";
import { partsOfHelp } from "../../../../../src/app/cli/common/command.ts";
import { commandTree } from "../../../../../src/app/cli/common/command-tree.ts";
import { completions } from "../../../../../src/app/cli/commands/reference/completion.ts";
import { CpuError, parseCpu } from "../../../../../src/cpu/isa/cpus/cpus.ts";

const decoded = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const TREE = commandTree(makeProgram(new URL(import.meta.url), () => {}));

const complete = async (...words: string[]) => (await completions(TREE, words)).offers.map(({ word }) => word);

Deno.test("completion offers commands, options and choices, with what they do", async () => {
  assert.ok((await complete("vc")).includes("vcpu"));
  assert.ok((await complete("vm", "")).includes("timeline"));
  assert.deepEqual(await complete("run", "x", "--tier", "j"), ["jit"]);
  assert.ok((await complete("run", "x", "--ti")).includes("--timeout"));
  assert.deepEqual(await complete("nonsense", "x"), []);
  assert.deepEqual(await complete("events", "--kinds", "hvc,vir"), ["hvc,virq"]);
  assert.ok((await complete("run", "d")).includes("demo"));
  assert.deepEqual(await complete("guests", "fetch", "d"), ["debian"]);
  assert.deepEqual(await complete("boot", "d"), ["debian"]);
  assert.deepEqual(await complete("tour", "q"), ["queues"]);
  // Short options have values, too.
  assert.deepEqual(await complete("vm", "ls", "-o", ""), ["wide", "tsv", "json"]);
  for (const words of [["v"], ["vm", ""], ["run", "--"]]) {
    for (const { word, help } of (await completions(TREE, words)).offers) assert.ok(help, `${words} ${word}`);
  }
});

Deno.test("completion offers the words of arguments that are neither ids nor files, with what they are", async () => {
  const helped = async (...words: string[]) => {
    const { offers } = await completions(TREE, words);
    for (const { word, help } of offers) assert.ok(help, `${words.join(" ")}: ${word}`);
    return offers.map(({ word }) => word);
  };
  assert.deepEqual(await helped("reference", "phone", "sm86"), ["sm8650"]);
  assert.deepEqual(await helped("reference", "cpu", "v8."), ["v8.2", "v8.4", "v8.6"]);
  assert.deepEqual(await helped("run", "x", "--cpu", "v8."), ["v8.2", "v8.4", "v8.6"]);
  assert.deepEqual(await helped("reference", "theme", "sol"), ["solarized"]);
  assert.deepEqual(await helped("screenshot", "x", "--theme", "a"), ["auto"]);
  assert.deepEqual(await helped("reference", "spec", "hyper"), ["hypervisor"]);
  assert.deepEqual(await helped("reference", "spec", "hypervisor", "4.10"), ["4.10"]);
  assert.deepEqual(await complete("reference", "spec", "nonsense", ""), []);
  assert.deepEqual(await helped("reference", "schema", "mem.par"), ["mem.parcels"]);
  assert.deepEqual(await helped("reference", "schema", "conf"), ["config"]);
  assert.deepEqual(await complete("who", "pa:0x0", ""), ["write", "read", "exec", "owner"]);
  assert.deepEqual(await helped("man", "vcp"), ["vcpu"]);
  assert.ok((await helped("help", "vm", "")).includes("timeline"));
  assert.deepEqual(await complete("man", "nonsense", ""), []);
});

Deno.test("completion of a CPU offers the features that change it, each of which is taken", async () => {
  assert.deepEqual(await complete("reference", "cpu", "v8.4,-FEAT_DIT,+FEAT_RN"), ["v8.4,-FEAT_DIT,+FEAT_RNG"]);
  const changed = await complete("reference", "cpu", "v8,");
  assert.ok(changed.length > 0);
  for (const text of changed) {
    try {
      parseCpu(text);
    } catch (error) {
      // A feature may require others, which are added after another comma.
      assert.ok(error instanceof CpuError && / requires /.test(error.message), `${text}: ${error}`);
    }
  }
});

Deno.test("completion offers files only where files belong", async () => {
  const files = async (...words: string[]) => (await completions(TREE, words)).files;
  for (
    const words of [
      ["run", ""],
      ["boot", ""],
      ["replay", ""],
      ["diff", "a.rec", ""],
      ["boot", "--initrd", ""],
      ["test", "a", ""],
      ["run", "x", "--disk", ""],
      ["run", "x", "--share", ""],
      ["run", "x", "--recordings", ""],
      ["coverage", "a.rec", ""],
      ["snapshot", "vmcore", ""],
    ]
  ) {
    assert.equal(await files(...words), true, words.join(" "));
  }
  assert.equal(await files("trace", "calls", "--count", "5", ""), true, "a word that an option had before takes its value, too");
  const without = [["events", "--kinds", ""], ["events", ""], ["vm", "ls", ""], ["run", "--for", ""], ["run", "--"], ["completion", ""], [
    "replay",
    "a.rec",
    "",
  ], [
    "",
  ]];
  for (const words of without) assert.equal(await files(...words), false, words.join(" "));
});

Deno.test("the examples of completion write their files in a home that has no folder for them", async () => {
  const { commands } = TREE, { after } = commands.find(({ name }) => name === "completion")!;
  await inFolder(async (folder) => {
    const written: string[] = [];
    for (const { line } of partsOfHelp(after).examples) {
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", `el2() { echo "$2"; }\n${line}`],
        env: { HOME: folder },
      }).output();
      assert.equal(code, 0, `${line}: ${decoded(stderr)}`);
      written.push(/[^/\s]+$/.exec(line)![0]);
    }
    assert.deepEqual(written, ["el2", "_el2", "el2.fish"]);
  });
});

Deno.test("W65: the completion script of bash loads, and completes commands", async () => {
  const { stdout } = await el2("completion", "bash");
  const script =
    `${stdout}\nel2() { printf 'vm\\nvcpu\\n'; }\nCOMP_WORDS=(el2 v)\nCOMP_CWORD=1\n_el2\necho "\${COMPREPLY[*]}"\ncomplete -p el2`;
  const bash = await new Deno.Command("bash", { args: ["--norc", "-c", script], stdin: "null" }).output();
  const shown = new TextDecoder().decode(bash.stdout);
  assert.equal(bash.code, 0, new TextDecoder().decode(bash.stderr));
  assert.match(shown, /vm.vcpu[\s\S]*complete -F _el2 el2/);
  const files = script.replace("'vm\\nvcpu\\n'", "'vm\\tvirtual machines\\n:files\\n'").replace(
    "COMP_WORDS=(el2 v)",
    "COMP_WORDS=(el2 /etc/host)",
  );
  assert.notEqual(files, script);
  const listed = await new Deno.Command("bash", { args: ["--norc", "-c", files], stdin: "null" }).output();
  assert.match(decoded(listed.stdout), /^vm\s[\s\S]*\/etc\/host/, "descriptions are not words; files are");
  for (const shell of ["zsh", "fish"]) assert.match((await el2("completion", shell)).stdout, /el2 complete/);
  assert.equal((await el2("completion", "csh")).code, 2);
});

Deno.test("W65: the completion scripts load, and complete names of VMs", async () => {
  await using place = new Place();
  await place.up("one");
  await place.printed("pong");
  // Of several sessions the one that the words name answers.
  await place.up("two");
  assert.equal((await place.el2("complete", "--", "vm", "devices", "p")).stdout, "");
  const { stdout: named } = await place.el2("complete", "--", "vm", "devices", "--session", "one", "p");
  assert.match(named, /^ping\t\w+\npong\t\w+\n$/);
  assert.equal((await place.el2("complete", "--", "vm", "devices", "--socket", "one", "p")).stdout, named, "the old word");
  // In the words of el2 vcpu ls.
  assert.equal((await place.el2("complete", "--", "vcpu", "regs", "--session", "one", "vcpu:rm")).stdout, "vcpu:rm/0\tsuspended\n");
  assert.match((await place.el2("complete", "--", "vm", "devices", "--socket", "")).stdout, /^one\ntwo\n$/);
  assert.match((await place.el2("complete", "--", "vm", "devices", "--s")).stdout, /^--session\t.*\n$/);
  // On a busy computer a session may outlive the command that ends it, which then ends with 1.
  const ended = (await place.el2("down", "two")).code === 0, ask = () => place.el2("complete", "--", "vm", "devices", "p");
  const { stdout: alone } = ended ? await ask() : await eventually(ask, ({ stdout }) => stdout !== "");
  assert.equal(alone, named);
  const [program, ...args] = el2Command().map((word) => `'${word}'`);
  const script = async (shell: string) => {
    const file = `${place.folder}/completion.${shell}`;
    await Deno.writeTextFile(file, (await place.el2("completion", shell)).stdout);
    return file;
  };
  const calls: Record<string, (file: string) => string> = {
    bash: (file) =>
      `el2() { ${program} ${args.join(" ")} "$@"; }; . ${file}
COMP_WORDS=(el2 vm devices p); COMP_CWORD=3; _el2; printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: (file) =>
      `el2() { ${program} ${
        args.join(" ")
      } "$@"; }; compdef() {}; compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -rl -- "$@"; }; . ${file}
words=(el2 vm devices p); CURRENT=4; _el2`,
    fish: (file) => `function el2; ${program} ${args.join(" ")} $argv; end; source ${file}; complete -C "el2 vm devices p"`,
  };
  for (const [shell, text] of Object.entries(calls)) {
    const file = await script(shell);
    // Without its folder Deno would get all packages again.
    const env = { XDG_RUNTIME_DIR: place.folder, HOME: place.folder, DENO_DIR: denoFolder() };
    const [program, ...options] = shell === "fish" ? await fishCommand() : [shell === "zsh" ? await nativeProgram("zsh") : shell];
    const { stdout, stderr } = await new Deno.Command(program, { args: [...options, "-c", text(file)], env, stdin: "null" }).output();
    const words = decoded(stdout).trim().split("\n").map((line) => line.split("\t")[0]);
    assert.deepEqual([shell, words], [shell, ["ping", "pong"]], decoded(stderr));
  }
});
