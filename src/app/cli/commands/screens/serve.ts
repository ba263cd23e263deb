// `el2 serve`: the screens of a session in a browser.

import type { Command } from "@commander-js/extra-typings";
import { node } from "../../../../kit/support/node-modules.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { requireUnix } from "../../common/platform.ts";
import { connectNamed } from "../../common/session.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

const LOOPBACK = "127.0.0.1";
const PORT_MAX = 65_535;
/** An address, then a port; one of IPv6 has brackets. */
const LISTEN = /^(?:(\[[0-9a-f:.]+\]|[\d.]+):)?(\d{1,5})$/i;
/** Addresses that stand for all addresses of the computer. */
const EVERY = /^(?:0\.0\.0\.0|[0:.]+)$/;

export function registerServe(program: Command, { exit }: CommandContext): void {
  program.command("serve")
    .description("show a session in a browser, by a link that holds until this command ends")
    .argument("[session]", "its name, or the path of its socket")
    .option("--control", "let who has the link change the session, as you can; otherwise they only look")
    .option("--follow", "all pages show the screen of the one that came first, whose keys alone count")
    .option(
      "--listen <where>",
      "a port, or ADDRESS:PORT of this computer, for others too (default: any free port of 127.0.0.1)",
      parseListen,
    )
    .option("--end", "end the serve that runs for the session")
    .addHelpText(
      "after",
      `
The link's last part, after #, is a key: no server sees it in an address, and nobody gets a screen
without it. From another computer, forward the port: ssh -L 8080:127.0.0.1:8080 HOST.

Examples:
  el2 serve
  el2 serve demo --control --listen 8080
  el2 serve demo --follow                          several look at what the first one shows
  el2 serve demo --end`,
    )
    .action(async (named, { control = false, follow = false, listen, end }) => {
      requireUnix("serving a session");
      const session = await connectNamed({ session: named, readOnly: true, naming: hintText(hint("serve", "NAME")) });
      if (end) {
        if (control || follow || listen) throw new Failure("serve: --end takes no other option");
        const { endServing } = await import("../../start/screens/serving-socket.ts");
        const { besideSocket } = await import("../../../../session/control/places.ts");
        if (!await endServing(besideSocket(session.path).pages)) throw failed(`session ${session.info.name} is not served`);
        session.close();
        return exit(ExitCode.Done);
      }
      const { serveScreens } = await import("../../start/screens/served.ts");
      exit(await serveScreens(session, { control, follow, hostname: LOOPBACK, port: 0, ...listen }));
    });
}

/** @throws Failure */
function parseListen(text: string): { readonly hostname: string; readonly port: number } {
  const [, name = LOOPBACK, digits] = LISTEN.exec(text) ?? [], port = Number(digits), hostname = name.replace(/^\[|\]$/g, "");
  if (!(port <= PORT_MAX && node.net.isIP(hostname))) {
    throw new Failure(`--listen: "${text}" is neither a port nor ADDRESS:PORT`, "use for example 8080");
  }
  if (EVERY.test(hostname)) throw new Failure(`--listen: ${hostname} is every address of this computer`, "name one of them");
  return { hostname, port };
}
