// A Debian guest with `--net user` in a network namespace with listeners on every address: what a
// scan by the guest finds. `scan_test.ts` starts it there with the addresses as its argument.

import { createSocket } from "node:dgram";
import { NO_SELF_TESTS } from "./command-line.ts";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";

/** Ports of the listeners; el2's own forwarded port is one more. */
const LISTENING = [7, 22, 53, 80, 111, 443, 631, 3306, 5432, 6379, 8080, 9090, 27_017, 65_535];
const FORWARDED = 2222;
/** More ports, of all parts of the range: `FIRST + STEP * n`. */
const OTHERS = 200, FIRST = 2, STEP = 327;
/** Wall time for a boot and for the scan of an address, s. */
const BOOT = 300, SCAN = 900;

/** Findings of one scan. */
interface Found {
  /** Ports that are open for the guest. */
  readonly open: string[];
  /** Connections and datagrams at the listeners. */
  readonly heard: number;
  /** The guest's own list of its addresses. */
  readonly addresses: string;
}

let heard = 0;

/** Listens by TCP and UDP at each port of every address. */
async function listen(): Promise<void> {
  for (const port of LISTENING) {
    const listener = Deno.listen({ hostname: "::", port });
    (async () => {
      for await (const connection of listener) {
        heard++;
        connection.close();
      }
    })();
    // This socket takes datagrams of IPv4 as well.
    const socket = createSocket("udp6");
    socket.on("message", () => void heard++);
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.bind(port, "::", () => resolve());
    });
  }
}

/** Boots a guest with this `--net` and scans ports of addresses. */
async function scan(folder: string, net: string, addresses: readonly string[], ports: readonly number[], others: number): Promise<Found> {
  const before = heard;
  const options = [
    "--append",
    `console=ttyAMA0 ${NO_SELF_TESTS}`,
    "--memory",
    "512MiB",
    "--stdio",
    "--turbo",
    "--forward",
    `${FORWARDED}:22`,
    "--net",
    net,
  ];
  await using console = new ConsoleProgram(el2Command("boot", `${folder}/Image`, "--initrd", `${folder}/initrd-virtio`, ...options));
  await console.expect(PROMPT, BOOT);
  // The lease may have flushed what the router has advertised; a link that comes up asks again.
  await console.type(
    "ip link set eth0 down; ip link set eth0 up; ip route add default via 10.0.2.2; sleep 5; ip addr show eth0; echo S''EEN",
  );
  await console.expect(/^SEEN$/m, BOOT);
  const shown = console.text;
  await console.type("tcp() { nc -w 2 $1 $2 </dev/null >/dev/null 2>&1 && echo OPEN $1 $2; }");
  // The first datagram of a trace goes to the port after the one that is given.
  await console.type(
    "udp() { case $1 in *:*) t=traceroute6;; *) t=traceroute;; esac; $t -n -q 1 -m 1 -w 1 -p $(($2 - 1)) $1 >/dev/null 2>&1; }",
  );
  // A shell's line has at most 1,023 characters.
  await console.type(`{ for p in ${ports.join(" ")}; do echo $p; done; n=0; while [ $n -lt ${others} ]; do`);
  await console.type(`echo $((${FIRST} + ${STEP} * n)); n=$((n + 1)); done; } > /tmp/ports; echo P''ORTS`);
  await console.expect(/^PORTS$/m, BOOT);
  for (const address of addresses) {
    await console.type(
      `for p in $(cat /tmp/ports); do udp ${address} $p & tcp ${address} $p; done 2>/dev/null; wait; echo D''ONE ${address}`,
    );
    await console.expect(new RegExp(`^DONE ${address.replaceAll(".", "\\.")}$`, "m"), SCAN);
  }
  const open = [...console.text.matchAll(/^OPEN (.*)$/gm)].map(([, what]) => what);
  return { open, heard: heard - before, addresses: shown.slice(shown.lastIndexOf("mtu")) };
}

if (import.meta.main) {
  const [folder, refused, reached] = JSON.parse(Deno.args[0]) as [string, string[], string[]];
  await listen();
  const closed = await scan(folder, "user", refused, [...LISTENING, FORWARDED], OTHERS);
  const open = await scan(folder, "user,host=yes", reached, LISTENING.slice(0, 4), 0);
  console.log(JSON.stringify({ closed, open, ports: LISTENING.length + 1 + OTHERS }));
  Deno.exit();
}
