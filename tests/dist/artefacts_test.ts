// The output of `deno task dist`, used as its users do: from an empty folder, with an empty HOME
// and no deno on the PATH. One build serves all tests.

import assert from "node:assert/strict";
import { createMessage, generateKey, readKey, readSignature, verify } from "openpgp";
import { parse } from "yaml";
import { fileAnswer, serving } from "../support/signed-mirror.ts";
import { abilityTests } from "./abilities.ts";
import { runAction, withIdleNpm } from "./action.ts";
import { ciTests } from "./ci.ts";
import { debianTests } from "./debian.ts";
import { lintian } from "./lintian.ts";
import { type Outcome, runIn } from "./programs.ts";
import { sharedUser } from "./user.ts";
import { documentedSymbols, recordExample, writeExamples } from "../app/library/examples.ts";
import { pathWithoutDeno } from "../../scripts/path-without-deno.ts";
import { filesBelow, makeModules, packageCache, withoutCache } from "../../scripts/dist/split.ts";
import { BROWSER_MODULE } from "../../scripts/dist/page.ts";
import { TARGETS } from "../../scripts/dist/targets.ts";
import { PROBE_MACHINES, probeName } from "../../scripts/launch/code-probe.ts";
import { VERSION } from "../../src/kit/support/version.ts";
import { PAGE_SCRIPTS } from "../../src/app/web/published/program-names.ts";
import { A64, imageOf, SYSTEM_OFF } from "../app/cli/program.ts";
import { el2Command } from "../support/el2.ts";
import { LONG } from "../support/long.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const TARGET = Deno.build.target;
const DEBIAN = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
const FOLDER = await Deno.makeTempDir({ prefix: "el2-artefacts-" });
const DIST = `${FOLDER}/dist`;
/** Files of the folder that SHA256SUMS does not name: itself, and those that a release adds. */
const APART = ["SHA256SUMS", "SHA256SUMS.asc", "el2-release-key.asc", "RELEASE-NOTES.md"];
/** A runner's folder, and the prefix in it, into which npm installs el2. */
const RUNNER = `${FOLDER}/runner`, PREFIX = `${RUNNER}/el2`;
const PARTS = LONG ? "file,npm,deb,jsr,vscode,demo,sbom" : "file,npm,deb,demo,sbom";

const dist = (folder: string, only: string) => runIn(ROOT, "deno", ["task", "-q", "dist", folder, "--only", only], Deno.env.toObject());
let built: Promise<[Outcome, string]> | undefined;

/** A test on the build, in an empty folder; `env` has an empty HOME. */
function artefact(name: string, work: (here: string, env: Record<string, string>) => Promise<void>): void {
  Deno.test(name, async () => {
    built ??= Promise.all([
      dist(DIST, PARTS),
      pathWithoutDeno(`${FOLDER}/path`),
    ]);
    const [{ code, stderr }, PATH] = await built;
    assert.equal(code, 0, stderr);
    const here = await Deno.makeTempDir({ dir: FOLDER });
    const home = await Deno.makeTempDir({ dir: FOLDER });
    await work(here, { HOME: home, PATH, NO_COLOR: "1" });
  });
}

/**
 * Tests whose parts CI has elsewhere: on the sources (tests/library, tests/scripts/action_test.ts),
 * or by another test of the build.
 */
const longArtefact: typeof artefact = LONG ? artefact : () => {};

Deno.test.afterAll(() => Deno.remove(FOLDER, { recursive: true }));

/** Tries the abilities of every build product: version, a run, a scenario. */
async function works(here: string, program: string, env: Record<string, string>): Promise<void> {
  assert.deepEqual(await runIn(here, program, ["--version"], env), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  const run = await runIn(here, program, ["test", `${ROOT}examples/refused-lend.test.toml`], env);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.match(run.stdout, /^TAP version 14\n1\.\.4\n/);
  const folder = await Deno.makeTempDir({ dir: here }), recording = `${folder}/a.rec`;
  const recorded = await runIn(folder, program, ["run", "demo", "--headless", "--turbo", "--for", "1ms", "--record", recording], env);
  assert.equal(recorded.code, 0, recorded.stderr);
  const published = await runIn(folder, program, ["publish", recording, `${folder}/page`], env);
  assert.equal(published.code, 0, published.stderr);
  const names = Array.from(Deno.readDirSync(`${folder}/page`), ({ name }) => name);
  for (const name of Object.values(PAGE_SCRIPTS)) assert.ok(names.includes(name), name);
}

const asUser = sharedUser(`${DIST}/el2-${VERSION}-${TARGET}`);
artefact("the one file runs from an empty folder with an empty HOME", asUser(({ here, program, env }) => works(here, program, env)));

artefact(
  "the one file loads what it needs: --version its entry alone, boot neither the command line nor its commands",
  async (here, env) => {
    const image = `${here}/image.bin`, prints = [A64.loadX1High(0x0900), A64.loadW2(0x21), A64.storeByte];
    await Deno.writeFile(image, imageOf([...prints, ...A64.loadW0(SYSTEM_OFF), A64.hvc]));
    const own = { ...env, EL2_RUNTIME: `${here}/runtime` }, program = `${DIST}/el2-${VERSION}-${TARGET}`;
    const version = () => runIn(here, program, ["--version"], own), boot = () => runIn(here, program, ["boot", image, "--stdio"], own);
    assert.equal((await version()).code, 0);
    const [{ name }] = Array.from(Deno.readDirSync(`${here}/runtime`));
    const without = (folder: string) => Deno.rename(`${here}/runtime/${name}/${folder}`, `${here}/${folder}`);
    await without("cli");
    // The second finds the core that the first has left: they agree on which program they are.
    for (let i = 0; i < 2; i++) {
      const { code, stdout } = await boot();
      assert.deepEqual([code, stdout], [0, "!"]);
      assert.equal(Array.from(Deno.readDirSync(`${env.HOME}/.cache/el2/core`)).length, 1);
    }
    await without("worker");
    assert.notEqual((await boot()).code, 0, "the worker has a folder of its own");
    await without("boot");
    assert.deepEqual(await version(), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  },
);

artefact("npm's package has its launcher and the program, no scripts, and no dependency but the platform's runtime", async (here, env) => {
  const manifest = JSON.parse(await Deno.readTextFile(`${DIST}/npm/package.json`));
  assert.equal(manifest.scripts, undefined);
  assert.equal(manifest.dependencies, undefined);
  assert.equal(
    manifest.optionalDependencies[`@deno/${TARGETS.find(({ target }) => target === Deno.build.target)!.npm}`],
    Deno.version.deno,
  );
  const packed = (await runIn(here, "tar", ["-tzf", `${DIST}/el2-${VERSION}.tgz`], env)).stdout.trim().split("\n").sort();
  const probes = PROBE_MACHINES.map(probeName).sort();
  const names = [
    "LICENSE",
    "README.md",
    "THIRD-PARTY-NOTICES.txt",
    ...probes,
    BROWSER_MODULE,
    "el2.cjs",
    "el2.js",
    "package.json",
    ...Object.values(PAGE_SCRIPTS).map((name) => `page/${name}`),
  ];
  assert.deepEqual(packed, names.sort().map((name) => `package/${name}`));
});

artefact("the demo in a browser is static files that another user can read, of a machine that takes keys", async (here) => {
  const names = Array.from(Deno.readDirSync(`${DIST}/demo`), ({ name }) => name);
  for (const name of [...Object.values(PAGE_SCRIPTS), "index.html", "page.css", "run-0.js", "xterm.css"]) {
    assert.ok(names.includes(name), name);
  }
  const plain = `${here}/plain`, readers = async (file: string) => (await Deno.stat(file)).mode! & 0o044;
  await Deno.writeTextFile(plain, "");
  for (const name of names) assert.equal(await readers(`${DIST}/demo/${name}`), await readers(plain), name);
  assert.match(await Deno.readTextFile(`${DIST}/demo/index.html`), /\{"name":"demo","live":true,/);
  assert.match(await Deno.readTextFile(`${DIST}/demo/${PAGE_SCRIPTS.page}`), /^\/\*! The file el2\.js contains [^]*xterm.* \(MIT\)\n/);
});

longArtefact("npm installs el2 with its runtime, without install scripts", async (here, env) => {
  const { stdout } = await installed(env);
  // el2, and the binary of this platform.
  assert.match(stdout, /^\nadded 2 packages in /);
  const program = `${PREFIX}/bin/el2`;
  assert.notEqual((await runIn(here, "sh", ["-c", "command -v deno"], env)).code, 0);
  await works(here, program, env);
  const unknown = await runIn(here, program, ["nope"], env);
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);

  // A signal to the launcher alone ends the program behind it, too.
  const running = new Deno.Command(program, {
    args: ["run", "demo", "--for", "1h"],
    cwd: here,
    env,
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = running.stdout.getReader();
  await reader.read();
  running.kill("SIGTERM");
  while (!(await reader.read()).done);
  assert.notEqual((await running.status).code, 0);
});

longArtefact("the GitHub action installs el2, runs scenarios, annotates failures and keeps their recordings", async (here, env) => {
  const runner = await npmEnvironment(env);
  const scenario = (expected: string) =>
    `el2_test = 1\n[[step]]\nboot = "demo"\n[[step]]\nexpect_console = "${expected}"\nof = "ping"\nwithin = "1ms"\n`;
  await Deno.mkdir(`${here}/work/tests`, { recursive: true });
  await Deno.writeTextFile(`${here}/work/tests/good.test.toml`, scenario(".").replace("1ms", "1s"));
  await Deno.writeTextFile(`${here}/work/tests/bug.test.toml`, scenario("a, b: 100% <never>"));
  const inputs = { package: `${DIST}/el2-${VERSION}.tgz`, scenarios: "tests/*.test.toml\nmore/*.toml" };
  const first = await runAction(`${here}/work`, RUNNER, runner, inputs);
  assert.equal(first.code, 1, first.stdout + first.stderr);
  const annotation = /^::error (.*)$/m.exec(first.stdout)?.[1] ?? "";
  assert.match(
    annotation,
    /^file=tests\/bug\.test\.toml,line=5,title=bug%3A console ping shows \/a%2C b%3A 100%25 <never>\/::/,
    first.stdout,
  );
  assert.equal(first.stdout.match(/^::error /gm)?.length, 1);
  assert.equal(first.outputs, "junit=el2-results/junit.xml\nresults=el2-results\n");
  assert.match(first.summary, /^\| failed \| bug \| 2 \| .*&lt;never>\/: /m);
  assert.match(first.summary, /^\| passed \| good \| 2 \| {2}\|$/m);
  const program = `${first.path.trim()}/el2`;
  const replayed = await runIn(`${here}/work`, program, ["replay", "el2-results/bug.rec", "--verify"], env);
  assert.match(replayed.stderr, /identical to the recording/);
  assert.ok((await Deno.stat(`${here}/work/el2-results/bug.page/index.html`)).isFile);

  const none = await runAction(`${here}/work`, RUNNER, await withIdleNpm(runner, here), { ...inputs, scenarios: "more/*.toml" });
  assert.equal(none.code, 2);
  assert.match(none.stdout, /^::error title=el2::no file matches more\/\*\.toml$/m);

  // The inputs that action.yml passes are those that the script reads.
  const action = parse(await Deno.readTextFile(`${ROOT}action.yml`));
  const names = Object.keys(action.runs.steps.find(({ id }: { id?: string }) => id === "test").env)
    .filter((name) => name.startsWith("EL2_ACTION_"));
  const script = await Deno.readTextFile(`${ROOT}scripts/action/test.sh`);
  assert.deepEqual(names.sort(), [...new Set(script.match(/EL2_ACTION_[A-Z_]+/g))].sort());
  for (const name of names) assert.ok(name.slice("EL2_ACTION_".length).toLowerCase().replaceAll("_", "-") in action.inputs, name);
});

longArtefact("without the package of the platform, npm's el2 says what is missing", async (here, env) => {
  // A global installation ignores this option.
  await Deno.writeTextFile(`${here}/package.json`, "{}");
  const args = ["install", "--omit=optional", "--no-audit", "--no-fund", `${DIST}/el2-${VERSION}.tgz`];
  const { stdout } = await runIn(here, "npm", args, await npmEnvironment(env));
  assert.match(stdout, /^\nadded 1 package in /);
  const alone = await runIn(here, `${here}/node_modules/.bin/el2`, ["--version"], env);
  assert.equal(alone.code, 1);
  assert.match(alone.stderr, /^el2: the package @deno\/\S+ is not installed; install again without --omit=optional/);
});

artefact("the Debian package is installed, used and removed in a clean root", async (here, env) => {
  const root = `${here}/root`, deb = `${DIST}/el2_${VERSION}_${DEBIAN}.deb`;
  await Deno.mkdir(`${root}/var/lib/dpkg/info`, { recursive: true });
  await Deno.mkdir(`${root}/var/lib/dpkg/updates`);
  await Deno.writeTextFile(`${root}/var/lib/dpkg/status`, "");
  const dpkg = (...args: string[]) => {
    const options = [`--root=${root}`, "--force-not-root", "--force-depends", `--log=${here}/dpkg.log`];
    return runIn(here, "unshare", ["--map-root-user", "dpkg", ...options, ...args], { ...env, PATH: `${env.PATH}:/usr/sbin:/sbin` });
  };
  const install = await dpkg("--install", deb);
  assert.equal(install.code, 0, install.stderr);
  assert.match((await dpkg("--verify", "el2")).stdout, /^$/);

  // The libraries that the package depends on, and a shell.
  const libraries = (await runIn(here, "ldd", [`${root}/usr/lib/el2/deno`, "/bin/sh"], env)).stdout.matchAll(/(\/\S+\.so\S*) \(/g);
  for (const path of new Set(["/bin/sh", ...Array.from(libraries, ([, path]) => path)])) {
    await Deno.mkdir(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.copyFile(await Deno.realPath(path), `${root}${path}`);
  }
  await Deno.copyFile(`${ROOT}examples/refused-lend.test.toml`, `${root}/refused-lend.test.toml`);
  // Deno asks /proc for its own path.
  await Deno.mkdir(`${root}/proc`);
  const enter = `mount --rbind /proc ${root}/proc && exec chroot ${root} /usr/bin/el2 "$@"`;
  const path = { HOME: "/", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const inRoot = (...args: string[]) => runIn(here, "unshare", ["--map-root-user", "--mount", "sh", "-c", enter, "sh", ...args], path);
  assert.deepEqual(await inRoot("--version"), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  const run = await inRoot("test", "refused-lend.test.toml");
  assert.equal(run.code, 0, run.stdout + run.stderr);

  for (const name of ["el2", "el2-run", "el2-vm-ls"]) {
    const page = await runIn(here, "zcat", [`${root}/usr/share/man/man1/${name}.1.gz`], env);
    assert.ok(page.stdout.startsWith(`.TH ${name.toUpperCase()} 1 `), page.stdout.slice(0, 80));
  }
  for (const path of ["bash-completion/completions/el2", "zsh/vendor-completions/_el2", "fish/vendor_completions.d/el2.fish"]) {
    assert.match(await Deno.readTextFile(`${root}/usr/share/${path}`), /el2 complete/);
  }
  assert.equal((await dpkg("--purge", "el2")).code, 0);
  for (const path of ["usr/bin/el2", "usr/lib/el2", "usr/share/doc/el2"]) {
    await assert.rejects(Deno.stat(`${root}/${path}`), Deno.errors.NotFound);
  }
});

longArtefact(
  "@el2/el2 is imported from an empty folder through an import map, runs its examples, and holds only what mod.ts needs",
  async (here) => {
    await Deno.writeTextFile(
      `${here}/map.json`,
      JSON.stringify({
        imports: { ...JSON.parse(await Deno.readTextFile(`${DIST}/jsr/deno.json`)).imports, "@el2/el2": `file://${DIST}/jsr/mod.ts` },
      }),
    );
    await Deno.mkdir(`${here}/assets/guests`, { recursive: true });
    await Deno.copyFile(`${ROOT}assets/guests/hello.bin`, `${here}/assets/guests/hello.bin`);
    await writeExamples(await documentedSymbols(`${DIST}/jsr/mod.ts`), here);
    await recordExample(here, el2Command);
    const args = ["run", "-q", "--allow-read=.", "--no-config", "--import-map", "map.json", "--check", "main.ts"];
    const { code, stdout, stderr } = await runIn(here, "deno", args, Deno.env.toObject());
    assert.equal(code, 0, stderr);
    assert.match(stdout, /hello from EL1/);
    const info = JSON.parse((await runIn(`${DIST}/jsr`, "deno", ["info", "--json", "--no-lock", "mod.ts"], Deno.env.toObject())).stdout);
    const needed = info.modules.flatMap(({ specifier }: { specifier: string }) => specifier.split(`${DIST}/jsr/`)[1] ?? []);
    assert.deepEqual((await filesBelow(`${DIST}/jsr`)).sort(), [...needed, "LICENSE", "README.md"].sort());
  },
);

longArtefact("deno publish takes the JSR package without a warning", async () => {
  const args = ["publish", "--dry-run", "--allow-dirty", "--token", "none"];
  const { code, stderr } = await runIn(`${DIST}/jsr`, "deno", args, { ...Deno.env.toObject(), NO_COLOR: "1" });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /warning/i);
  const listed = Array.from(stderr.matchAll(/^ +file:\/\/\S+\/jsr\/(\S+) \(/gm), ([, path]) => path);
  assert.deepEqual(listed.sort(), (await filesBelow(`${DIST}/jsr`)).sort());
});

/** Declarations of what is disposed of at the end of its block. */
const usings = (text: string) => [...text.matchAll(/(?:^ *|[{};])(?:await )?using [\w$]+ ?= ?/gm)].length;

artefact("the bundle disposes of the same values as the sources", async () => {
  // A minifier had dropped that, and sessions waited for a lock for ever.
  const sources = (await filesBelow(`${ROOT}src`)).filter((path) => path.endsWith(".ts"));
  const texts = await Promise.all(sources.map((path) => Deno.readTextFile(`${ROOT}src/${path}`)));
  const expected = texts.reduce((sum, text) => sum + usings(text), 0);
  assert.ok(expected > 0);
  assert.equal(usings(await Deno.readTextFile(`${DIST}/el2.js`)), expected);
});

artefact("checksums cover every file, and the SBOM names each package of the bundle", async (here, env) => {
  const sums = await runIn(DIST, "sha256sum", ["-c", "SHA256SUMS"], env);
  assert.equal(sums.code, 0, sums.stderr);
  const files = Array.from(Deno.readDirSync(DIST)).filter(({ name, isFile }) => isFile && !APART.includes(name)).map(({ name }) =>
    `${name}: OK`
  );
  assert.deepEqual(sums.stdout.trim().split("\n").sort(), files.sort());

  const sbom = JSON.parse(await Deno.readTextFile(`${DIST}/el2-${VERSION}.spdx.json`));
  assert.equal(sbom.spdxVersion, "SPDX-2.3");
  const [own, ...others] = sbom.packages;
  assert.ok((await Deno.readTextFile(`${DIST}/SHA256SUMS`)).includes(`${own.checksums[0].checksumValue}  el2.js`));
  const names = others.map(({ name, versionInfo }: { name: string; versionInfo: string }) => `${name}@${versionInfo}`);
  // The modules of the bundle: where it keeps its comments, the path of each is in one.
  await makeModules("-o", `${here}/commented.js`, "main.ts");
  const bundle = withoutCache(await Deno.readTextFile(`${here}/commented.js`), await packageCache());
  const inside = new Set(
    Array.from(bundle.matchAll(/^\/\/ npm\/((?:@[^/]+\/)?[^/]+)\/([\d.]+)\//gm), ([, name, version]) => `${name}@${version}`),
  );
  assert.ok(inside.size > 0, "packages in the bundle");
  assert.deepEqual([...inside].filter((name) => !names.includes(name)), []);
  const ids = new Set(["SPDXRef-DOCUMENT", ...sbom.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID)]);
  assert.equal(ids.size, sbom.packages.length + 1);
  for (const { spdxElementId, relatedSpdxElement } of sbom.relationships) assert.ok(ids.has(spdxElementId) && ids.has(relatedSpdxElement));
});

/** Runs steps of `deno task release` on the build. */
const release = (here: string, env: Record<string, string>, ...args: string[]) =>
  runIn(here, "deno", ["task", "-q", "--config", `${ROOT}deno.json`, "release", DIST, ...args], { ...Deno.env.toObject(), ...env });

longArtefact("a release has equal bytes in two folders, caches and umasks", async (here) => {
  const { code, stdout, stderr } = await release(here, {}, "--only", "reproduce", "--parts", PARTS);
  assert.equal(code, 0, stderr);
  const count = Number(/^reproduce: (\d+) files have equal bytes in two builds$/m.exec(stdout)?.[1]);
  assert.ok(count > 0, stdout);
});

artefact("a release has notes, and checksums signed by its key", async (here) => {
  const user = { name: "el2 test", email: "test@el2.invalid" }, passphrase = "throw away";
  const { privateKey, publicKey } = await generateKey({ userIDs: [user], passphrase, format: "armored" });
  const key = { EL2_RELEASE_KEY: privateKey, EL2_RELEASE_PASSPHRASE: passphrase };
  const { code, stderr } = await release(here, key, "--only", "sign,notes");
  assert.equal(code, 0, stderr);

  const verificationKeys = await readKey({ armoredKey: publicKey });
  const signature = await readSignature({ armoredSignature: await Deno.readTextFile(`${DIST}/SHA256SUMS.asc`) });
  const check = async (text: string) => {
    const message = await createMessage({ text });
    return await (await verify({ message, signature, verificationKeys })).signatures[0].verified;
  };
  const sums = await Deno.readTextFile(`${DIST}/SHA256SUMS`);
  assert.equal(await check(sums), true);
  await assert.rejects(check(sums.replace(/^./, "x")));
  const published = await readKey({ armoredKey: await Deno.readTextFile(`${DIST}/el2-release-key.asc`) });
  assert.equal(published.getFingerprint(), verificationKeys.getFingerprint());
  assert.equal(published.isPrivate(), false);
  assert.notEqual(await Deno.readTextFile(`${DIST}/RELEASE-NOTES.md`), "");

  const wrong = await release(here, { ...key, EL2_RELEASE_PASSPHRASE: "other" }, "--only", "sign");
  assert.match(wrong.stderr, /^release: EL2_RELEASE_KEY, EL2_RELEASE_PASSPHRASE: /);
  assert.equal(wrong.code, 1);
});

abilityTests(artefact, asUser);
ciTests(artefact, asUser, async (env) => {
  await installed(env);
  return PREFIX;
});
debianTests(artefact, asUser);

if (LONG) {
  artefact("el2 --version of npm's package takes less than 0.25 s", async (here, env) => {
    await installed(env);
    // CPU time of both processes: the wall clock also measures others.
    const times: number[] = [];
    while (times.length < 10) {
      const { stdout } = await runIn(here, "sh", ["-c", `"${PREFIX}/bin/el2" --version >/dev/null; times`], env);
      const [, user, system] = /\n0m([\d.]+)s 0m([\d.]+)s/.exec(stdout)!;
      times.push(Number(user) + Number(system));
    }
    assert.ok(Math.min(...times) < 0.25, `s: ${times}`);
  });

  artefact("from nothing to a Debian prompt takes under 30 s by npx, and under 20 s from the Debian package", async (here, env) => {
    const npm = await npmEnvironment(env);
    const source = Deno.env.get("EL2_MIRROR") ?? "http://deb.debian.org/debian";
    const fetch = ["run", "-A", "--no-config", `${DIST}/el2.js`, "guests", "fetch", "debian", "--keep", "mirror", "--mirror", source];
    const kept = await runIn(here, "deno", fetch, env);
    assert.equal(kept.code, 0, kept.stderr);
    const prompt = `el2_test = 1\n[[step]]\nboot = "debian"\n[[step]]\nexpect_console = "^/root # "\nof = "debian"\nwithin = "60s"\n`;
    await Deno.writeTextFile(`${here}/prompt.test.toml`, prompt);
    /** Seconds from the first command to the prompt, in an empty HOME. */
    const untilPrompt = async (install: () => Promise<Outcome>, program: readonly string[], env: Record<string, string>) => {
      const HOME = await Deno.makeTempDir({ dir: FOLDER });
      let seconds = 0;
      await serving((request) => fileAnswer(`${here}/mirror`, request), async (url) => {
        const start = performance.now();
        const run = (...args: string[]) => runIn(here, program[0], [...program.slice(1), ...args], { ...env, HOME });
        for (
          const step of [
            install,
            () => run("guests", "fetch", "debian", "--keep", `${HOME}/kept`, "--mirror", url),
            () => run("test", "prompt.test.toml"),
          ]
        ) {
          const { code, stdout, stderr } = await step();
          assert.equal(code, 0, stdout + stderr);
        }
        seconds = (performance.now() - start) / 1000;
      });
      return seconds;
    };
    const nothing = () => Promise.resolve({ code: 0, stdout: "", stderr: "" });
    const byNpx = await untilPrompt(nothing, ["npx", "-y", "--package", `${DIST}/el2-${VERSION}.tgz`, "el2"], npm);
    const unpack = () => runIn(here, "dpkg-deb", ["-x", `${DIST}/el2_${VERSION}_${DEBIAN}.deb`, `${here}/deb`], env);
    const start = `exec "${here}/deb/usr/lib/el2/deno" run -q -A --no-config --no-npm --no-remote "${here}/deb/usr/lib/el2/el2.js" "$@"`;
    const byDeb = await untilPrompt(unpack, ["sh", "-c", start, "sh"], env);
    console.log(`npx ${byNpx.toFixed(1)} s, Debian package ${byDeb.toFixed(1)} s`);
    assert.ok(byNpx < 30, `${byNpx} s by npx`);
    assert.ok(byDeb < 20, `${byDeb} s from the Debian package`);
  });

  artefact("lintian finds no error in the Debian package", async () => {
    // Its exit code counts what is overridden.
    const { stdout, stderr } = await lintian(`${DIST}/el2_${VERSION}_${DEBIAN}.deb`);
    assert.doesNotMatch(stdout, /^E: /m);
    // It has looked at the package: what the package overrides is shown.
    assert.match(stdout, /^O: el2: embedded-library /m, stderr);
  });

  artefact("each platform has its one file, or is named as left out", async (here) => {
    const { code, stdout, stderr } = await dist(`${here}/dist`, "others");
    assert.equal(code, 0, stderr);
    const files = Array.from(Deno.readDirSync(`${here}/dist`), ({ name }) => name);
    for (
      const target of [
        "aarch64-unknown-linux-gnu",
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
        "x86_64-pc-windows-msvc",
        "aarch64-pc-windows-msvc",
      ]
    ) {
      const name = `el2-${VERSION}-${target}`;
      assert.ok(files.includes(name) !== stdout.includes(`left out: ${name} (`), `${name}\n${stdout}`);
    }
  });
}

Deno.test("a part that does not exist is refused by name", async () => {
  const { code, stderr } = await dist(`${FOLDER}/none`, "npm,rpm");
  assert.equal(code, 1);
  assert.equal(stderr, 'dist: --only: no part "rpm"; use one of file, others, npm, deb, jsr, vscode, demo, sbom\n');
});

let installing: Promise<Outcome> | undefined;

/** Installs el2 by npm, once. */
async function installed(env: Record<string, string>): Promise<Outcome> {
  const args = ["install", "--global", "--prefix", PREFIX, "--ignore-scripts", "--no-audit", "--no-fund", `${DIST}/el2-${VERSION}.tgz`];
  installing ??= npmEnvironment(env).then((settings) => runIn(FOLDER, "npm", args, settings));
  const outcome = await installing;
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

let npmSettings: Promise<Record<string, string>> | undefined;

/** An environment in which npm has this machine's settings and cache: packages come from there. */
async function npmEnvironment(env: Record<string, string>): Promise<Record<string, string>> {
  const setting = async (key: string) => (await runIn(ROOT, "npm", ["config", "get", key], Deno.env.toObject())).stdout.trim();
  npmSettings ??= Promise.all(["cache", "userconfig"].map(setting)).then(([cache, userconfig]) => ({
    npm_config_cache: cache,
    npm_config_userconfig: userconfig,
    npm_config_prefer_offline: "true",
  }));
  return { ...env, ...await npmSettings };
}
