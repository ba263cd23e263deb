// `el2 boot IMAGE`: IMAGE becomes the primary VM; resource manager and hypervisor run beneath it.

import { type Command, Option } from "@commander-js/extra-typings";
import { readNamedFile } from "./failure.ts";
import { showSession } from "./show.ts";
import { parseCounts, parseDuration, parsePort, parseSize, parseWhole } from "./values.ts";
import { MAX_CPUS } from "../machine/memory-map.ts";
import { checkBootPlan } from "../workstation/boot-plan.ts";
import { PRIMARY_CONSOLE, TIERS } from "../workstation/plan.ts";

const MIB = 1024 * 1024;

/** Adds the command. `entry` is the program's module, for the machine's worker; `exit` takes the exit code. */
export function registerBoot(program: Command, entry: URL, exit: (code: number) => void): void {
  program.command("boot")
    .description("boot an arm64 Linux Image or ELF as the primary VM")
    .argument("<image>", "arm64 Linux Image (also gzip or EFI zboot) or ELF")
    .option("--initrd <file>", "initial ramdisk")
    .option("--dtb <file>", "devicetree to use instead of the generated one")
    .option("--append <string>", "kernel command line")
    .addOption(new Option("--memory <size>", "RAM of the primary VM").argParser(parseSize).default(1024 * MIB, "1GiB"))
    .option("--cpus <n>", "physical CPUs, each with one vCPU of the primary VM", parseWhole(1, MAX_CPUS), 1)
    .option("--stdio", "join the console to stdin and stdout byte for byte (on a terminal ctrl-] d ends it)")
    .option("--turbo", "skip idle time instead of sleeping through it")
    .option("--log <file>", "write a line for each event: refusals, accesses to nothing, undefined instructions")
    .option("--timeout <time>", "wall time after which the run ends with exit code 4", parseDuration)
    .option("--seed <n>", "seed of all randomness that the guest sees", parseWhole(0, 2 ** 32 - 1), 1)
    .option("--gdb <port>", "a gdb server on this port of 127.0.0.1 (0: a free one); the VM waits for gdb", parsePort)
    .addOption(
      new Option("--tier <tier>", "what executes instructions; guests see no difference").choices(TIERS).default("interp" as const),
    )
    .option("--hash-at <n,...>", "print a hash of the state at these instruction counts (JSON on stderr)", parseCounts, [])
    .addHelpText(
      "after",
      `
Exit codes: 0 SYSTEM_OFF; 1 SYSTEM_RESET, a crash, or nothing can ever happen again; 2 usage; 4 --timeout passed.

Examples:
  el2 boot Image --initrd initrd --append console=ttyAMA0 --stdio
  el2 boot guest.elf --cpus 4 --memory 256MiB --stdio --turbo --timeout 60s
  el2 boot guest.elf --gdb 1234                    and: gdb-multiarch -ex 'target remote 127.0.0.1:1234'`,
    )
    .action(async (image, options) => {
      const plan = {
        cpus: options.cpus,
        memory: options.memory,
        turbo: options.turbo ?? false,
        seed: options.seed,
        tier: options.tier,
        duration: undefined,
        hashAt: options.hashAt,
        debug: options.gdb === undefined ? undefined : PRIMARY_CONSOLE,
        what: {
          kind: "boot",
          image: readNamedFile(image, "image"),
          initrd: options.initrd === undefined ? undefined : readNamedFile(options.initrd, "initrd"),
          dtb: options.dtb === undefined ? undefined : readNamedFile(options.dtb, "devicetree"),
          append: options.append,
        },
      } as const;
      checkBootPlan(plan, plan.what, image);
      exit(
        await showSession(entry, plan, {
          title: image.split("/").at(-1) ?? image,
          stdio: options.stdio ?? false,
          log: options.log,
          timeout: options.timeout === undefined ? undefined : options.timeout / 1e6,
          gdb: options.gdb,
          names: false,
          console: PRIMARY_CONSOLE,
        }),
      );
    });
}
