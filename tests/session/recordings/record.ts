// Makes `debian.rec` again: a Debian boot with typed input. A change of a guest's run (the time of
// a call, the state of a device) makes the recording another one, and so does another kernel in the
// catalog. Run it with `deno run -A tests/session/recordings/record.ts`.

import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { ConsoleProgram } from "../../support/console.ts";
import { el2Command } from "../../support/el2.ts";

const FILE = new URL("debian.rec", import.meta.url).pathname;
const SECONDS = 300;

const { folder } = await catalogEntry("debian-bookworm");
const options = ["--append", "console=ttyAMA0", "--memory", "256MiB", "--stdio", "--turbo", "--record", FILE];
await using console = new ConsoleProgram(el2Command("boot", `${folder}/Image`, "--initrd", `${folder}/initrd`, ...options));
await console.expect(/# /, SECONDS);
await console.type("echo $((6 * 7))-from-$(uname -m)");
await console.expect(/^42-from-aarch64$/m, SECONDS);
await console.type("sha256sum /bin/busybox; date");
await console.expect(/UTC/, SECONDS);
await console.type("poweroff -f");
const { code, stderr } = await console.end();
if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
