// `el2 boot IMAGE`: IMAGE becomes the primary VM; Resource Manager and hypervisor run beneath it.
// The options about the machine are keys of a configuration (`boot-table.ts`).

import { Argument, type Command, Option } from "@commander-js/extra-typings";
import { type Exits, exitsText, offering, withExits } from "../../common/command-tree.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { parseCounts, parseGdbPlace, parseSize, parseWhole } from "../../common/values.ts";
import type { BootOptions } from "../../options/boot-table.ts";
import { checkedRules, readRules } from "../../options/behavior.ts";
import { asciiOption, logOption, plainOption, rawOption, readOnlyOption } from "../../options/look.ts";
import {
  recordingsOption,
  recordOption,
  stdioOption,
  timeoutOption,
  withCoreOptions,
  withDeviceOptions,
  withMachineOptions,
} from "../../options/start.ts";
import type { GdbPlace } from "../../start/debuggers/gdb-link.ts";
import { recorded } from "../../start/plans/recorded.ts";
import { displayed, showSession } from "../../start/show.ts";
import { MAX_CPUS } from "../../../../model/plans/limits.ts";
import { PRIMARY_CONSOLE, type SessionPlan, type Tier } from "../../../../model/plans/plan.ts";
import { oneVm } from "../../../../model/queries/debugged-vms.ts";
import { connectEmbedded } from "../../../../session/worker/client.ts";

const EXITS: Exits = {
  codes: {
    0: "SYSTEM_OFF",
    1: "SYSTEM_RESET without --reboot, a crash, a deadlock, or an end before which nothing was printed, as the console of the command line is missing",
    2: "usage",
    4: "--timeout passed",
  },
};

/** The options by what they are about, as help shows them. */
function withOptions(command: Command<[string | undefined]>) {
  const image = command
    .optionsGroup("Image:")
    .option("--initrd <file>", "initial ramdisk")
    .option("--append <string>", "kernel command line")
    .option("--firmware <file>", "start this firmware (U-Boot, EDK2) from flash; the image, if given, is passed to it through fw_cfg")
    .option(
      "--el2 <file|self>",
      "enter this hypervisor at EL2 (ELF, arm64 Image or raw code); self: the image itself, such as a Linux with KVM",
    )
    .option("--el2-args <string>", "command line of the hypervisor")
    .optionsGroup("Machine:")
    .addOption(new Option("--memory <size>", "RAM of the primary VM").argParser(sizeText).default("1GiB"))
    .option("--cpus <n>", "physical CPUs, each with one vCPU of the primary VM", parseWhole(1, MAX_CPUS), 1);
  const machine = withMachineOptions(image)
    .option("--reboot", "restart when the guest requests a reset (default: exit with 1); discards the changes to overlay disks")
    .option("--print-config", "print the machine as a configuration for el2 run, and start nothing");
  const run = withDeviceOptions(machine)
    .optionsGroup("Run:")
    .addOption(stdioOption)
    .option("--instant", "start at the first prompt, from a snapshot in the cache that the first run saves")
    .addOption(timeoutOption)
    .option(
      "--gdb <where>",
      "start a gdb server: a socket with a / in its path, or a port of 127.0.0.1 (0: any free one), which every local user can connect to; the VM waits for gdb",
      parseGdbPlace,
    )
    .addOption(recordOption)
    .addOption(recordingsOption);
  return withCoreOptions(run)
    .option("--hash-at <n,...>", "print a hash of the machine's state at these instruction counts (JSON on stderr)", parseCounts)
    .addOption(new Option("--stats", "print statistics of the core at the end (JSON on stderr)"))
    .optionsGroup("Display:")
    .addOption(logOption)
    .addOption(rawOption)
    .addOption(readOnlyOption)
    .addOption(asciiOption)
    .addOption(plainOption);
}

/** The text of a size that `parseSize` reads. */
function sizeText(text: string): string {
  parseSize(text);
  return text;
}

/** The options besides those of the configuration. */
interface RunOptions {
  readonly tier?: Tier;
  readonly memoryBudget?: number;
  readonly inject?: readonly string[];
  readonly hashAt?: readonly number[];
  readonly gdb?: GdbPlace;
  readonly reboot?: boolean;
  readonly record?: string;
}

/** The plan of a run. */
async function planned(image: string | undefined, options: BootOptions & RunOptions): Promise<SessionPlan> {
  const { bootPlan, bootTable } = await import("../../options/boot-table.ts");
  const { tier, memoryBudget, inject, hashAt, gdb, reboot, record } = options;
  const debug = gdb === undefined ? undefined : oneVm(PRIMARY_CONSOLE);
  const rules = inject && await readRules(inject), own = await bootPlan(await bootTable(image, options));
  const checked = rules && await checkedRules(rules, own);
  return await recorded({ ...own, tier, memoryBudget, inject: checked, hashAt, debug, ...reboot && { reboot } }, record);
}

/**
 * Adds the command. `entry` is the program's module, for the machine's worker; `exit` takes the
 * exit code.
 */
export function registerBoot(program: Command, { entry, exit }: CommandContext): void {
  const boot = withExits(program.command("boot"), EXITS)
    .description("boot an arm64 Linux Image or ELF as the primary VM")
    .addArgument(offering(
      new Argument("[image]", "arm64 Linux Image (also gzip or EFI zboot) or ELF, or debian: the catalog's Debian with a disk"),
      () => [{ word: "debian", help: "the catalog's Debian with a disk" }],
      "files",
    ));
  withOptions(boot)
    .addHelpText(
      "after",
      `
${exitsText(EXITS)}

Examples:
  el2 boot Image --initrd initrd --append console=ttyAMA0 --stdio
  el2 boot guest.elf --cpus 4 --memory 256MiB --stdio --turbo --timeout 60s
  el2 boot Image --initrd initrd --disk debian.img --net user --forward 2222:22 --append console=ttyAMA0
  el2 boot Image --initrd initrd --share sources,ro --share out,tag=out --net user,capture=net.pcapng
  el2 boot Image --initrd initrd --set host.bus=pci --print-config >el2.toml
  el2 boot Image --el2 self --initrd initrd --append console=ttyAMA0 --stdio
  el2 boot guest.elf --gdb ./gdb.sock              and: gdb-multiarch -ex 'target remote ./gdb.sock'`,
    )
    .action(async (image, options) => {
      if (options.reboot && options.record !== undefined) {
        throw new Failure("boot: --record and --reboot are mutually exclusive: a recording ends at a reset", "give one");
      }
      if (options.printConfig) {
        const { bootPlan, bootTable, tomlOf } = await import("../../options/boot-table.ts");
        const table = await bootTable(image, options);
        await bootPlan(table);
        output(tomlOf(table));
        return exit(ExitCode.Done);
      }
      // It loads while the plan is made.
      const machine = connectEmbedded(entry);
      const plan = await planned(image, options).catch((error) => {
        machine.close();
        throw error;
      });
      const name = options.firmware ?? image ?? options.el2 ?? "";
      exit(
        await showSession(entry, plan, {
          machine,
          ...displayed(options),
          title: name.split("/").at(-1) ?? name,
          gdb: options.gdb,
          names: false,
          stats: options.stats,
          console: PRIMARY_CONSOLE,
        }),
      );
    });
}
