// `el2 boot IMAGE`: IMAGE becomes the primary VM; resource manager and hypervisor run beneath it.

import { type Command, Option } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "commander";
import type { CommandContext } from "../common/command.ts";
import { planCpu } from "../../isa/cpus.ts";
import { Failure } from "../common/failure.ts";
import { readNamedFile } from "../common/named-file.ts";
import { parseCounts, parseDuration, parseGdbPlace, parseSize, parseWhole } from "../common/values.ts";
import { memoryBudgetOption } from "../options/memory-budget.ts";
import { noCodeCacheOption } from "../options/no-code-cache.ts";
import {
  behaviourOf,
  capIdsOption,
  checkOption,
  cpuOption,
  geniezoneOption,
  hypervisorNodeOption,
  injectOption,
  msiOption,
  phoneOption,
  quirksOption,
  strictOption,
} from "../options/behavior.ts";
import {
  balloonOption,
  type DeviceOptions,
  devicesOf,
  diskOption,
  forwardOption,
  inputOption,
  netOption,
  shareOption,
  vsockOption,
} from "../options/devices.ts";
import {
  asciiOption,
  logLevelOption,
  logOption,
  noColorOption,
  plainOption,
  rawOption,
  readOnlyOption,
  themeOption,
} from "../options/look.ts";
import { recordOption } from "../options/record.ts";
import { recordingsOption } from "../start/kept-recordings.ts";
import { recorded } from "../start/recordings.ts";
import { showSession } from "../start/show.ts";
import { readSymbolFile } from "../start/symbol-files.ts";
import { checkBootPlan } from "../../assembly/boot-plan.ts";
import { readVars } from "../../assembly/firmware-layout.ts";
import { diskGuestBoot, isDiskGuest } from "../../catalog/boot.ts";
import { MAX_CPUS } from "../../machine/memory-map.ts";
import { phoneBehaviour } from "../../configuration/phones.ts";
import {
  type BootPlan,
  DEFAULT_TIER,
  type FirmwarePlan,
  PLATFORM_DEVICES,
  type PlatformDevice,
  PRIMARY_CONSOLE,
  PRIMARY_UARTS,
  type RootPlan,
  TIERS,
  VIRTIO_BUSES,
} from "../../plans/plan.ts";
import { exists } from "../../support/cache.ts";
import { MiB } from "../../support/sizes.ts";

/** The images of the root VM, if they are named. */
function rootOf(runtime: string | undefined, app: string | undefined): RootPlan | undefined {
  if (runtime === undefined && app === undefined) return undefined;
  if (runtime === undefined || app === undefined) throw new Failure("boot: --root-runtime and --root-app go together; give both");
  return { runtime: readNamedFile(runtime, "root runtime"), app: readNamedFile(app, "root application") };
}

/** Options for files that a guest of the catalog brings itself. */
const IMAGES = ["initrd", "dtb", "firmware", "rootRuntime"] as const;

/** The guest of the catalog that is named instead of an image; undefined for any other name. */
async function guestOf(
  name: string,
  options: DeviceOptions & { [option in typeof IMAGES[number]]?: string } & Pick<BootPlan, "bus" | "uart"> & {
    platformDevice?: readonly PlatformDevice[];
    append?: string;
    rtc?: number;
  },
) {
  const guest = await diskGuestBoot(name, {
    append: options.append,
    more: devicesOf("boot", options),
    bus: options.bus,
    uart: options.uart,
    platformDevices: options.platformDevice,
  });
  if (!guest && isDiskGuest(name) && !await exists(name)) {
    throw new Failure(
      `boot ${name}: the cache has no guest with a disk called "${name}"; make one with el2 guests fetch debian --disk, or run one without: el2 run debian`,
    );
  }
  const extra = guest && IMAGES.find((option) => options[option] !== undefined);
  if (extra) throw new Failure(`boot ${name}: the guest has its own images; remove --${extra.toLowerCase()}`);
  return guest && { ...guest, clock: options.rtc ?? guest.clock };
}

/** The firmware and the file of its variables, if they are named. */
function firmwareOf(code: string | undefined, vars: string | undefined): FirmwarePlan | undefined {
  if (code === undefined) {
    if (vars !== undefined) throw new Failure("boot: --firmware-vars needs --firmware");
    return undefined;
  }
  try {
    return { code: readNamedFile(code, "firmware"), vars: vars === undefined ? undefined : readVars(vars) };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`boot: --firmware-vars: ${error instanceof Error ? error.message : error}`);
  }
}

/** `--platform-device KIND`, once for each. */
function platformDeviceOption() {
  return new Option(
    "--platform-device <kind>",
    `add a device of crosvm's platform: ${PLATFORM_DEVICES.join(", ")} (needs --bus pci); repeatable`,
  ).argParser((text: string, before: PlatformDevice[] | undefined): PlatformDevice[] => {
    const kind = PLATFORM_DEVICES.find((one) => one === text);
    if (!kind) throw new InvalidArgumentError(`"${text}" is not a device of crosvm's platform; use ${PLATFORM_DEVICES.join(", ")}.`);
    return [...before ?? [], kind];
  });
}

/** `--rtc TIME`. */
function clockOption() {
  return new Option(
    "--rtc <time>",
    "add a real-time clock that starts at this time: now, or a date such as 2026-01-31T12:00:00Z (default with --firmware: now)",
  )
    .argParser(parseClock);
}

function parseClock(text: string): number {
  const seconds = text === "now" ? now() : Math.floor(Date.parse(text) / 1000);
  if (!(seconds >= 0 && seconds < 2 ** 32)) {
    throw new InvalidArgumentError(`"${text}" is not a time; use now or for example 2026-01-31T12:00:00Z.`);
  }
  return seconds;
}

/** Seconds since 1970. */
function now(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * Adds the command. `entry` is the program's module, for the machine's worker; `exit` takes the
 * exit code.
 */
export function registerBoot(program: Command, { entry, exit }: CommandContext): void {
  program.command("boot")
    .description("boot an arm64 Linux Image or ELF as the primary VM")
    .argument("[image]", "arm64 Linux Image (also gzip or EFI zboot) or ELF, or debian: the catalog's Debian with a disk")
    .option("--initrd <file>", "initial ramdisk")
    .option("--dtb <file>", "devicetree to use instead of the generated one")
    .addOption(hypervisorNodeOption)
    .addOption(geniezoneOption)
    .option("--append <string>", "kernel command line")
    .option("--firmware <file>", "start this firmware (U-Boot, EDK2) from flash; the image, if given, is passed to it through fw_cfg")
    .option("--firmware-vars <file>", "store the firmware's variables in this file (default: they are discarded)")
    .addOption(clockOption())
    .option("--root-runtime <file>", "run this AArch64 program in the root VM instead of el2's resource manager: position-independent ELF")
    .option("--root-app <file>", "application that the root runtime starts: position-independent ELF")
    .addOption(new Option("--memory <size>", "RAM of the primary VM").argParser(parseSize).default(1024 * MiB, "1GiB"))
    .option("--cpus <n>", "physical CPUs, each with one vCPU of the primary VM", parseWhole(1, MAX_CPUS), 1)
    .addOption(diskOption())
    .addOption(netOption())
    .addOption(forwardOption())
    .addOption(vsockOption())
    .addOption(shareOption())
    .addOption(balloonOption())
    .addOption(inputOption())
    .addOption(
      new Option("--bus <kind>", 'bus of the virtio devices: slots of virtio-mmio, or a PCI host (default: "mmio")').choices(VIRTIO_BUSES),
    )
    .addOption(new Option("--uart <kind>", 'serial port of the console (default: "pl011")').choices(PRIMARY_UARTS))
    .addOption(platformDeviceOption())
    .option("--stdio", "connect the console to this terminal, raw (ctrl-] d ends the run)")
    .option("--turbo", "skip idle time instead of sleeping")
    .option("--instant", "start at the first prompt, from a snapshot in the cache that the first run saves")
    .option("--reboot", "restart when the guest requests a reset (default: exit with 1); discards the changes to overlay disks")
    .addOption(logOption)
    .addOption(logLevelOption)
    .addOption(rawOption)
    .addOption(readOnlyOption)
    .addOption(noColorOption)
    .addOption(asciiOption)
    .addOption(plainOption)
    .addOption(themeOption)
    .addOption(recordOption)
    .addOption(recordingsOption)
    .option("--timeout <time>", "end the run with exit code 4 after this much wall time", parseDuration)
    .option("--symbols <file>", "ELF file with symbols, such as vmlinux", readSymbolFile)
    .option("--seed <n>", "seed of all random numbers that guests see", parseWhole(0, 2 ** 32 - 1), 1)
    .option(
      "--gdb <where>",
      "start a gdb server: a socket with a / in its path, or a port of 127.0.0.1 (0: any free one), which every local user can connect to; the VM waits for gdb",
      parseGdbPlace,
    )
    .addOption(memoryBudgetOption)
    .addOption(noCodeCacheOption)
    .addOption(
      new Option("--tier <tier>", "how instructions are executed (results are identical)").choices(TIERS).default(DEFAULT_TIER),
    )
    .addOption(cpuOption())
    .addOption(phoneOption())
    .addOption(capIdsOption)
    .addOption(quirksOption)
    .addOption(strictOption)
    .addOption(checkOption)
    .addOption(msiOption)
    .addOption(injectOption())
    .option("--hash-at <n,...>", "print a hash of the machine's state at these instruction counts (JSON on stderr)", parseCounts)
    .addOption(new Option("--stats", "print statistics of the core at the end (JSON on stderr)"))
    .addHelpText(
      "after",
      `
Exit codes: 0 SYSTEM_OFF; 1 SYSTEM_RESET without --reboot, a crash, or a deadlock; 2 usage; 4 --timeout passed.

Examples:
  el2 boot Image --initrd initrd --append console=ttyAMA0 --stdio
  el2 boot guest.elf --cpus 4 --memory 256MiB --stdio --turbo --timeout 60s
  el2 boot Image --initrd initrd --disk debian.img --net user --forward 2222:22 --append console=ttyAMA0
  el2 boot Image --initrd initrd --share sources,ro --share out,tag=out --net user,capture=net.pcapng
  el2 boot guest.elf --gdb ./gdb.sock              and: gdb-multiarch -ex 'target remote ./gdb.sock'`,
    )
    .action(async (image, options) => {
      if (options.reboot && options.record !== undefined) {
        throw new Failure("boot: --record and --reboot are mutually exclusive: a recording ends at a reset; give one");
      }
      const root = rootOf(options.rootRuntime, options.rootApp);
      const firmware = firmwareOf(options.firmware, options.firmwareVars);
      if (image === undefined && !root && !firmware) {
        throw new Failure("boot: no image; name one, or use --firmware, or --root-runtime and --root-app");
      }
      if (options.platformDevice?.includes("pvpanic") && options.bus !== "pci") {
        throw new Failure("boot: --platform-device pvpanic is a function of the PCI host; add --bus pci");
      }
      const guest = image === undefined ? undefined : await guestOf(image, options);
      const plan = {
        cpus: options.cpus,
        ...options.cpu !== undefined && { cpu: planCpu(options.cpu) },
        memory: options.memory,
        turbo: options.turbo ?? false,
        seed: options.seed,
        tier: options.tier,
        behaviour: { ...options.phone && phoneBehaviour(options.phone), ...behaviourOf(options) },
        memoryBudget: options.memoryBudget,
        inject: options.inject,
        hashAt: options.hashAt,
        debug: options.gdb === undefined ? undefined : PRIMARY_CONSOLE,
        root,
        ...options.reboot && { reboot: true },
        ...options.symbols && { symbols: { [PRIMARY_CONSOLE]: options.symbols } },
        what: guest ?? {
          kind: "boot",
          image: image === undefined ? undefined : readNamedFile(image, "image"),
          initrd: options.initrd === undefined ? undefined : readNamedFile(options.initrd, "initrd"),
          dtb: options.dtb === undefined ? undefined : readNamedFile(options.dtb, "devicetree"),
          append: options.append,
          firmware,
          clock: options.rtc ?? (firmware && now()),
          devices: devicesOf("boot", options),
          ...options.bus && { bus: options.bus },
          ...options.uart && { uart: options.uart },
          ...options.platformDevice && { platformDevices: options.platformDevice },
        },
      } as const;
      const name = options.firmware ?? image ?? options.rootApp ?? "";
      checkBootPlan(plan, plan.what, name);
      exit(
        await showSession(entry, await recorded(plan, options.record), {
          instant: options.instant,
          title: name.split("/").at(-1) ?? name,
          stdio: options.stdio ?? false,
          raw: options.raw,
          log: options.log,
          logLevel: options.logLevel,
          look: options,
          readOnly: options.readOnly,
          recordings: options.recordings,
          timeout: options.timeout === undefined ? undefined : options.timeout / 1e6,
          gdb: options.gdb,
          names: false,
          stats: options.stats,
          console: PRIMARY_CONSOLE,
        }),
      );
    });
}
