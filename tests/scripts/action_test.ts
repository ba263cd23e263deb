// The guests that the GitHub action fetches, with npm and el2 replaced by scripts that note their
// arguments.

import assert from "node:assert/strict";
import { type ActionOutcome, runAction } from "../dist/action.ts";

const NPM = `#!/bin/sh
printf 'npm'; printf ' <%s>' "$@"; echo
mkdir -p "$RUNNER_TEMP/el2/bin" && cp "$RUNNER_TEMP/el2.sh" "$RUNNER_TEMP/el2/bin/el2"
`;
const EL2 = `#!/bin/sh
echo "el2 $*"
if [ "$1 $2" = "guests ls" ]; then echo "debian-bookworm  Debian bookworm"; exit "$LS_CODE"; fi
`;

/** Runs the action with those programs, on a runner whose cache has debian-bookworm. */
async function run(
  el2: string,
  env: Record<string, string>,
  inputs: Record<string, string> = {},
  files: readonly string[] = ["a.test.toml"],
): Promise<ActionOutcome> {
  const temp = await Deno.makeTempDir({ prefix: "el2-action-" });
  try {
    await Deno.mkdir(`${temp}/bin`);
    for (const [path, text] of [["bin/npm", NPM], ["el2.sh", el2]]) await Deno.writeTextFile(`${temp}/${path}`, text, { mode: 0o755 });
    for (const file of files) await Deno.writeTextFile(`${temp}/${file}`, "");
    const path = `${temp}/bin:${Deno.env.get("PATH")}`;
    return await runAction(temp, temp, { PATH: path, HOME: temp, LS_CODE: "0", ...env }, { scenarios: "a.test.toml", ...inputs });
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
}

/** The `guests fetch` commands of the action. */
async function fetched(env: Record<string, string>): Promise<string[]> {
  const outcome = await run(EL2, env, { guests: "debian\n\ndebian --release trixie\n" });
  assert.equal(outcome.code, 0, outcome.stderr);
  return Array.from(outcome.stdout.matchAll(/^el2 guests fetch (.*)$/gm), ([, args]) => args);
}

Deno.test("the runner takes no commands from what guests print, on stdout or stderr", async () => {
  const el2 = `#!/bin/sh
[ "$1" = test ] || exit 0
echo "# hello| ::set-output name=x::y ##[add-mask]e"
echo "##[stop-commands]x" >&2
printf '::error::no line break'
exit 1
`;
  const words: string[] = [];
  for (const _ of [1, 2]) {
    const { code, stdout, stderr } = await run(el2, {});
    assert.deepEqual([code, stderr], [1, ""]);
    const [, word, between] = /^::stop-commands::([0-9a-f]{32})\n([^]*)\n::\1::\n/m.exec(stdout) ?? [];
    assert.ok(word, stdout);
    for (const text of ["##[add-mask]", "##[stop-commands]x", "::error::no"]) assert.ok(between.includes(text), text);
    assert.ok(!stdout.replace(between, "").includes("##["));
    words.push(word);
  }
  assert.notEqual(words[0], words[1]);
});

Deno.test("the action fetches all guests unless their own cache was restored whole", async () => {
  const all = ["debian", "debian --release trixie"];
  assert.deepEqual(await fetched({}), all);
  assert.deepEqual(await fetched({ EL2_GUESTS_CACHED: "" }), all);
  assert.deepEqual(await fetched({ EL2_GUESTS_CACHED: "true" }), []);
  assert.deepEqual(await fetched({ EL2_GUESTS_CACHED: "true", LS_CODE: "1" }), all, "a file in the cache is damaged");
});

Deno.test("scenarios may use what the input allow-host names, one a line, and nothing without it", async () => {
  const options = async (inputs: Record<string, string>) => {
    const { code, stdout, stderr } = await run(`#!/bin/sh\n[ "$1" != test ] || printf '<%s>' "$@"\n`, {}, inputs);
    assert.equal(code, 0, stderr);
    return /(<--results>.*)<--><a.test.toml>/.exec(stdout)?.[1];
  };
  assert.equal(await options({}), "<--results><el2-results>");
  assert.equal(
    await options({ "allow-host": "build/my images\n\nnet\n" }),
    "<--results><el2-results><--allow-host><build/my images><--allow-host><net>",
  );
});

Deno.test("names of files that a pull request adds are no options", async () => {
  const el2 = `#!/bin/sh\n[ "$1" != test ] || printf '<%s>' "$@"\n`;
  const files = ["--allow-host=.a.test.toml", "-x.test.toml", "a.test.toml"];
  const { code, stdout, stderr } = await run(el2, {}, { scenarios: "*.test.toml" }, files);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /<--results><el2-results><--><\.\/--allow-host=\.a\.test\.toml><\.\/-x\.test\.toml><a\.test\.toml>/);
});

Deno.test("the action installs the package of its own tag, or a file, and never a name of npm's registry", async () => {
  const installed = ({ stdout }: ActionOutcome) => /^npm .*<--> <(.*)>$/m.exec(stdout)?.[1];
  const address = "https://github.com/owner/el2/releases/download/v0.1.0/el2-0.1.0.tgz";
  assert.equal(installed(await run(EL2, {})), address);
  assert.equal(installed(await run(EL2, {}, { package: "https://example.org/el2.tgz" })), "https://example.org/el2.tgz");
  // A file whose name the registry may have, too.
  assert.equal(installed(await run(EL2, {}, { package: "el2" }, ["a.test.toml", "el2"])), "./el2");
  assert.equal(installed(await run(EL2, {}, { package: "-x.tgz" }, ["a.test.toml", "-x.tgz"])), "./-x.tgz");
  for (const name of ["el2", "el2@0.1.0", "@el2/el2", "--registry=https://example.org", "http://example.org/el2.tgz"]) {
    const outcome = await run(EL2, {}, { package: name });
    assert.deepEqual([outcome.code, installed(outcome)], [2, undefined], name);
    assert.match(outcome.stdout, /^::error title=el2::package ".*" is neither a file nor an https address; /m);
  }
  for (const ref of ["main", "", "v1", "0123456789012345678901234567890123456789", "v0.1.0/../x"]) {
    const outcome = await run(EL2, { GITHUB_ACTION_REF: ref });
    assert.deepEqual([outcome.code, installed(outcome)], [2, undefined], ref);
    assert.match(outcome.stdout, /^::error title=el2::the action installs the el2 of its own tag, and "/m);
  }
});

Deno.test("each recording of a failure becomes a page, the first ten; one that does not is kept", async () => {
  const el2 = `#!/bin/sh
[ "$1" != publish ] || { echo "##[error]<$3><$4>"; exit 1; }
[ "$1" = test ] || exit 0
for number in 01 02 03 04 05 06 07 08 09 10 11; do echo > "el2-results/failed $number.rec"; done
exit 1
`;
  const { code, stdout, stderr } = await run(el2, {});
  assert.deepEqual([code, stderr], [1, ""]);
  const [, , between] = /^::stop-commands::([0-9a-f]{32})\n([^]*)\n::\1::\n/m.exec(stdout) ?? [];
  const pages = Array.from(between.matchAll(/^##\[error\]<el2-results\/(.*)\.rec><el2-results\/\1\.page>$/gm), ([, name]) => name);
  assert.deepEqual(pages, Array.from({ length: 10 }, (_, index) => `failed ${String(index + 1).padStart(2, "0")}`));
});
