// `deno task bench net`: what TCP moves from one VM to another. el2: two VMs of a session on a
// switch (`pair:NAME`). QEMU: two machines whose cards are joined by a socket. Both run the same
// Debian kernel and the same busybox; the host takes the time of a fetch over HTTP.

import { type Figure, printDocument } from "./documents.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import { withEntries } from "../src/kit/formats/cpio.ts";
import type { Contest } from "./ab.ts";
import { el2, type Machine, MACHINES, qemu, type Run, watch } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";

/** Seconds for a machine. */
const TIMEOUT = 240;
/** MiB of a VM, and of what is fetched. */
const MEMORY = 320;
const SIZE = 64;
/** Share of QEMU's throughput: required, and the goal. */
const LIMIT = 0.5, GOAL = 0.8;
const DONE = /NET-DONE (\d+)/;

interface Files {
  readonly kernel: string;
  readonly initrd: string;
  /** Folder for what a run needs. */
  readonly folder: string;
}

const commandLine = (number: 1 | 2) => `console=ttyAMA0 quiet el2net=${number} el2size=${SIZE}`;

/**
 * The guest's kernel, and its ramdisk with another init, in the folder of the configuration, where
 * it may read them.
 */
async function filesIn(folder: string, guest: string): Promise<Files> {
  const files = { kernel: `${folder}/Image`, initrd: `${folder}/initrd`, folder };
  await Deno.copyFile(`${guest}/Image`, files.kernel);
  const data = await Deno.readFile(new URL("net/init.sh", import.meta.url)), base = await Deno.readFile(`${guest}/initrd-virtio`);
  await Deno.writeFile(files.initrd, withEntries(base, [{ path: "init", kind: "file", permissions: 0o755, data }]));
  return files;
}

async function runEl2({ kernel, initrd, folder }: Files): Promise<Run> {
  const vm = (name: string, number: 1 | 2) =>
    `[vm.${name}]
kernel = "${kernel}"
initrd = "${initrd}"
cmdline = "${commandLine(number)}"
memory = "${MEMORY}MiB"
devices = [{ kind = "pl011" }, { kind = "net", backend = "pair:lan" }]
`;
  const file = `${folder}/net.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[machine]\ncpus = 2\nmemory = "${2 * MEMORY + 256}MiB"\n${vm("server", 1)}${vm("client", 2)}`);
  return await watch("el2", el2("run", file, "--headless"), TIMEOUT, DONE);
}

async function runQemu({ kernel, initrd, folder }: Files): Promise<Run> {
  const machine = async (number: 1 | 2, socket: string) => [
    ...await qemu(MEMORY),
    ...["-kernel", kernel, "-initrd", initrd, "-append", commandLine(number)],
    ...["-netdev", `socket,id=lan,${socket}`, "-device", `virtio-net-device,netdev=lan,mac=52:54:00:00:00:0${number}`],
  ];
  const port = freePort();
  const [program, ...args] = await machine(1, `listen=127.0.0.1:${port}`);
  const log = await Deno.open(`${folder}/server.log`, { write: true, create: true, truncate: true });
  const server = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const logged = server.stdout.pipeTo(log.writable);
  try {
    await listening(port);
    return await watch("QEMU", await machine(2, `connect=127.0.0.1:${port}`), TIMEOUT, DONE);
  } finally {
    server.kill("SIGKILL");
    await server.status;
    await logged;
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/**
 * Waits until a process listens, by the kernel's table of sockets: a connection would be taken for
 * the other machine's.
 */
async function listening(port: number): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A`;
  for (let attempt = 0; attempt < 200; attempt++) {
    const { stdout } = await new Deno.Command("cat", { args: ["/proc/net/tcp"] }).output();
    if (new TextDecoder().decode(stdout).includes(wanted)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("QEMU does not listen");
}

/** MiB/s of each fetch. @throws Error if one failed */
function speeds(machine: Machine, { lines }: Run): number[] {
  const begun = new Map<string, number>();
  const found: number[] = [];
  for (const { text, at } of lines) {
    const [, word, round, code] = /NET-(BEGIN|END) (\d+)(?: rc=(\d+))?/.exec(text) ?? [];
    if (word === "BEGIN") begun.set(round, at);
    if (word !== "END") continue;
    if (code !== "0") throw new Error(`${machine}: wget failed with ${code}`);
    found.push(SIZE * 1000 / (at - begun.get(round)!));
  }
  const bytes = lines.map(({ text }) => DONE.exec(text)?.[1]).find((text) => text !== undefined);
  if (Number(bytes) !== SIZE * 1024 ** 2) throw new Error(`${machine}: ${bytes} bytes came, not ${SIZE} MiB`);
  return found;
}

/** For `--ab`: milliseconds that 64 MiB take. */
export const netContest: Contest = async (work) => {
  const { folder } = await catalogEntry("debian-bookworm");
  const files = await filesIn(work, folder);
  return async () => new Map([[`${SIZE} MiB`, SIZE * 1000 / median(speeds("el2", await runEl2(files)))]]);
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchNet(rounds: number, json: boolean): Promise<void> {
  const { folder, manifest } = await catalogEntry("debian-bookworm");
  const work = await Deno.makeTempDir({ prefix: "el2-net-" });
  try {
    const files = await filesIn(work, folder);
    const run = { el2: runEl2, qemu: runQemu };
    const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
      const round: Record<Machine, number> = { el2: NaN, qemu: NaN };
      for (const machine of MACHINES) round[machine] = median(speeds(machine, await run[machine](files)));
      return round;
    });
    const speed = { el2: results.map(({ el2 }) => el2), qemu: results.map(({ qemu }) => qemu) };
    const ratios = results.map(({ el2, qemu }) => el2 / qemu);
    if (json) {
      const counts = { rounds, repeated, doubtful };
      const table: Figure[] = [{ what: `${SIZE} MiB by HTTP from VM to VM`, unit: "times", values: ratios, least: GOAL }];
      printDocument({ schema: "el2.bench.net/1", table, guest: manifest.name, ...counts, mib_per_second: speed, ratios, limit: LIMIT });
      return;
    }
    console.log(`${manifest.about}: ${SIZE} MiB by HTTP from VM to VM, median (least-greatest) of ${rounds} rounds`);
    console.log(`el2    ${withSpread(speed.el2)} MiB/s, two VMs on a switch`);
    console.log(`QEMU   ${withSpread(speed.qemu)} MiB/s, two machines on a socket`);
    console.log(`el2 / QEMU  ${withSpread(ratios)}; at least ${LIMIT} is wanted`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
