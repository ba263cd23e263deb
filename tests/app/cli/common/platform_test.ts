// Other systems, by doubles of what Deno reports of them.

import assert from "node:assert/strict";
import { platformState, requireUnix } from "../../../../src/app/cli/common/platform.ts";
import { userFile } from "../../../../src/app/cli/start/look/user-look.ts";
import { socketPath } from "../../../../src/session/control/places.ts";
import { namedCacheFolder } from "../../../../src/kit/support/files/folder-names.ts";
import { stateFolder } from "../../../../src/kit/support/files/state-folder.ts";
import { Failure } from "../../../../src/app/cli/common/failure.ts";
import { onSignals, type SignalSystem } from "../../../../src/kit/support/computer/signals.ts";

Deno.test("doctor says which systems were never tried, and what to use on Windows", () => {
  assert.deepEqual(platformState({ os: "linux", arch: "x86_64" }), { ok: true, says: "linux on x86_64", remedy: "" });
  for (const [os, arch] of [["linux", "aarch64"], ["darwin", "aarch64"], ["darwin", "x86_64"]] as const) {
    const { ok, says } = platformState({ os, arch });
    assert.deepEqual([ok, /never tried/.test(says)], [true, true], `${os} ${arch}`);
  }
  const windows = platformState({ os: "windows", arch: "x86_64" });
  assert.deepEqual([windows.ok, windows.remedy], [false, "run el2 in WSL 2 (wsl --install)"]);
  assert.throws(
    () => requireUnix("sessions in the background", { os: "windows" }),
    (error) => error instanceof Failure && /need a Unix shell.*WSL 2/.test(error.message),
  );
  for (const os of ["linux", "darwin"] as const) requireUnix("sessions in the background", { os });
});

Deno.test("the path of a socket is as long as the system allows, and a longer one is refused with the limit", () => {
  for (const [os, most] of [["linux", 107], ["darwin", 103], ["freebsd", 103]] as const) {
    const path = (bytes: number) => `/${"x".repeat(bytes - 1)}`;
    assert.equal(socketPath(path(most), os), path(most));
    assert.throws(() => socketPath(path(most + 1), os), new RegExp(`has ${most + 1} bytes, at most ${most} are possible`), os);
  }
});

Deno.test("without HOME the folders for files are below that of Windows", () => {
  const names = ["HOME", "USERPROFILE", "EL2_CACHE", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"];
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const name of names) Deno.env.delete(name);
    assert.deepEqual([namedCacheFolder(), stateFolder("ui"), userFile()], [undefined, undefined, undefined]);
    Deno.env.set("USERPROFILE", "C:\\Users\\me");
    const home = "C:\\Users\\me";
    assert.deepEqual([namedCacheFolder(), stateFolder("ui"), userFile()], [
      `${home}/.cache/el2`,
      `${home}/.local/state/el2/ui`,
      `${home}/.config/el2/ui.toml`,
    ]);
  } finally {
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  }
});

Deno.test("on Windows only its signals are listened for; elsewhere all of them, until the end", () => {
  const system = (os: SignalSystem["os"]) => {
    const listening = new Map<string, () => void>();
    return {
      listening,
      os,
      add(signal: Deno.Signal, call: () => void) {
        // As Deno does.
        if (os === "windows" && signal !== "SIGINT" && signal !== "SIGBREAK") throw new TypeError(`Windows does not have ${signal}`);
        listening.set(signal, call);
      },
      remove(signal: Deno.Signal, call: () => void) {
        assert.equal(listening.get(signal), call);
        listening.delete(signal);
      },
    };
  };
  const all = ["SIGTERM", "SIGHUP", "SIGINT", "SIGWINCH"] as const;
  for (const [os, expected] of [["windows", ["SIGINT"]], ["linux", all], ["darwin", all]] as const) {
    const double = system(os), heard: string[] = [];
    const end = onSignals(all, (signal) => heard.push(signal), double);
    assert.deepEqual([...double.listening.keys()].sort(), [...expected].sort());
    for (const call of double.listening.values()) call();
    assert.deepEqual(heard.sort(), [...expected].sort());
    end();
    assert.equal(double.listening.size, 0);
  }
});

Deno.test("nothing in src listens for signals but by the one function that knows the systems", async () => {
  const { repositoryFiles, ROOT } = await import("../../../support/files.ts");
  const found = [...repositoryFiles("src/", ".ts")].filter((path) =>
    /Deno\.addSignalListener\("(?!SIGINT"|SIGCONT")/.test(Deno.readTextFileSync(new URL(path, ROOT)))
  );
  assert.deepEqual(found, []);
});
