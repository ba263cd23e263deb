// `crosvm run`: its options, as src/crosvm/cmdline.rs of crosvm declares them, and their keys.

import { UserError } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import { BLOCK } from "../../../model/plans/limits.ts";
import {
  type ForeignMachine,
  NO_ASSIGNMENT,
  NO_DEVICETREE_FILE,
  NO_DISPLAY,
  NO_INTERFACE,
  NOT_PROTECTED,
  OWN_DEBUGGER,
  OWN_MAC,
  STARTS_ANEW,
} from "./foreign-machine.ts";
import { addCrosvmDisk } from "./composite-disk.ts";
import { withFileWords } from "./crosvm-file.ts";
import { crosvmValues, numberOf } from "./key-values.ts";
import { absent, applyOptions, type ForeignOption, ofProcess } from "./option-table.ts";

/** Memory of a VM without `--mem`. */
const MEMORY = 256 * MiB;
const DISK_LETTERS = "abcdefghijklmnopqrstuvwxyz";
/** Addresses of its four serial ports. */
const SERIAL_PORTS = ["0x3f8", "0x2f8", "0x3e8", "0x2e8"];
const NO_MEDIA = "no such device of virtio";
const NO_SOCKETS = "no input from sockets: keys go to the console";

/** The parts of the machine that only all options together decide. */
class CrosvmLine {
  rng = true;
  balloon = true;
  /** A console was chosen; the line says what the first port is. */
  console = false;
  firstPort = false;
  readonly serial: string[] = [];
  root: string | undefined;
  disks = 0;

  constructor(readonly machine: ForeignMachine) {}

  disk(option: string, value: string, { ro = false, root = false } = {}): void {
    const parts = crosvmValues(value, "path"), path = parts.get("path"), letter = DISK_LETTERS[this.disks++] ?? "?";
    if (path === undefined) throw new UserError(`${option} ${terminalWord(value)}: no path`);
    const readOnly = ro || parts.has("ro");
    if (root || parts.has("root")) {
      if (this.root !== undefined) throw new UserError(`${option}: there is a root disk already`);
      this.root = `root=/dev/vd${letter} ${readOnly ? "ro" : "rw"}`;
    }
    const sector = parts.get("block-size", "block_size");
    // How the host reads the file is not the guest's concern.
    parts.get("sparse", "direct", "o_direct", "lock", "async-executor", "async_executor", "multiple-workers", "dontcache");
    this.#unread(option, parts.unread());
    const size = sector === undefined ? undefined : numberOf(`${option} block-size`, sector, 1);
    addCrosvmDisk(this.machine, { option, path, mode: readOnly ? "ro" : "rw", sector: size });
  }

  addSerial(option: string, value: string): void {
    const parts = crosvmValues(value, "type"), hardware = parts.get("hardware") ?? "serial", type = parts.get("type");
    const port = numberOf(`${option} num`, parts.get("num") ?? "1", 1), path = parts.get("path");
    const isConsole = parts.has("console"), isEarly = parts.has("earlycon");
    parts.get("stdin", "input", "input-unix-stream", "out-timestamp", "out_timestamp", "max-queue-sizes", "name");
    this.console ||= isConsole;
    if (hardware === "serial") {
      this.firstPort ||= port === 1;
      if (isConsole) this.serial.push(`console=ttyS${port - 1}`);
      if (isEarly) this.serial.push(`earlycon=uart8250,mmio,${SERIAL_PORTS[port - 1] ?? SERIAL_PORTS[0]}`);
      if (port !== 1 && type !== "sink") this.machine.absent(`${option} ${value}`, `what the guest writes to ttyS${port - 1} is not kept`);
    } else if (hardware.endsWith("virtio-console")) {
      this.machine.virtioConsole(option);
      if (isConsole) this.serial.push("console=hvc0");
    } else this.machine.absent(`${option} ${value}`, `no port of hardware ${terminalWord(hardware)}`);
    if (type === "file" && port === 1) {
      this.machine.absent(`${option} path=${path ?? ""}`, "the console is shown: the option --log keeps it in a file");
    }
    this.#unread(option, parts.unread());
  }

  net(option: string, value: string): void {
    const parts = crosvmValues(value, "tap-name"), mac = parts.get("mac"), tap = parts.get("tap-name", "tap-fd", "host-ip");
    parts.get("netmask", "vhost-net", "vq-pairs", "packed-queue");
    if (tap !== undefined) this.machine.absent(`${option} ${value}`, NO_INTERFACE);
    if (mac !== undefined) this.machine.absent(`${option} mac=${mac}`, OWN_MAC);
    this.#unread(option, parts.unread());
    this.machine.device(option, { kind: "net", backend: "user" });
  }

  /** PATH:TAG:key=value…, of virtiofs or 9P. */
  share(option: string, value: string): void {
    const [folder, tag, ...rest] = value.split(":");
    if (!folder || !tag) throw new UserError(`${option} ${terminalWord(value)}: not PATH:TAG`);
    const type = rest.find((part) => part.startsWith("type="))?.slice("type=".length) ?? "p9";
    if (type !== "p9") {
      this.machine.absent(`${option} type=${type}`, `no virtiofs: mount it with -t 9p -o trans=virtio ${terminalWord(tag)}`);
    }
    this.machine.share(option, folder, tag);
  }

  cpu(option: string, value: string): void {
    const parts = crosvmValues(value, "num-cores");
    this.machine.cpus = numberOf(option, parts.get("num-cores", "num_cores") ?? "1", 1);
    this.#unread(option, parts.unread());
  }

  /** Whole blocks of the VM's memory; crosvm's is a file beside it. */
  pstore(option: string, value: string): void {
    const parts = crosvmValues(value, "path"), size = numberOf(`${option} size`, parts.get("size") ?? "", 1);
    this.machine.keys.pstore = formatSize(Math.ceil(size / BLOCK) * BLOCK);
    this.machine.absent(`${option} path=${parts.get("path") ?? ""}`, "the region outlives the VM, not the run: no file keeps it");
  }

  /** `0=600000,1800000,1=…`: the guest's governor sees the same list on each vCPU. */
  frequencies(option: string, value: string): void {
    const list = value.split(",").map((part) => part.slice(part.indexOf("=") + 1)).map((text) => numberOf(option, text, 1));
    this.machine.keys.cpu_frequencies = [...new Set(list)].sort((a, b) => a - b);
  }

  /** Devices that crosvm adds by itself, and the command line, in its order. */
  end(params: readonly string[]): void {
    const { machine } = this;
    // The first port is a console unless the line chooses another one, or uses the port itself.
    const serial = this.console || this.firstPort ? this.serial : ["console=ttyS0", ...this.serial];
    if (this.rng) machine.device("rng", { kind: "rng" });
    if (this.balloon) machine.device("balloon", { kind: "balloon" });
    machine.cmdline.push(...serial, this.root ?? "", ...params);
  }

  #unread(option: string, parts: readonly string[]): void {
    for (const part of parts) this.machine.absent(`${option} ${part}`, "the guest has el2's default");
  }
}

/** Options that have no equal, and those about the process. */
const OTHERS: readonly ForeignOption[] = [
  ...absent(
    NOT_PROTECTED,
    "--protected-vm",
    "--protected-vm-without-firmware",
  ),
  ...absent("the firmware is not run: the VM begins in its kernel", "--unprotected-vm-with-firmware PATH"),
  ...absent(
    NO_DISPLAY,
    "--gpu [OPTIONS]",
    "--gpu-display OPTIONS",
    "--gpu-render-server OPTIONS",
    "--wayland-sock PATH",
    "--x-display DISPLAY",
  ),
  ...absent(NO_DISPLAY, "--display-window-keyboard", "--display-window-mouse", "--android-display-service NAME"),
  ...absent(NO_SOCKETS, "--input TYPE", "--evdev PATH", "--keyboard PATH", "--mouse PATH", "--multi-touch PATH", "--single-touch PATH"),
  ...absent(NO_SOCKETS, "--trackpad PATH", "--rotary PATH", "--switches PATH"),
  ...absent(
    NO_MEDIA,
    "--sound PATH",
    "--virtio-snd OPTIONS",
    "--video-decoder BACKEND",
    "--video-encoder BACKEND",
    "--media-decoder BACKEND",
  ),
  ...absent(NO_MEDIA, "--simple-media-device", "--v4l2-proxy PATH", "--pmem OPTIONS", "--pmem-device PATH", "--rw-pmem-device PATH"),
  ...absent(NO_MEDIA, "--pmem-ext2 PATH", "--scsi-block PATH", "--vhost-user OPTIONS", "--vhost-scmi", "--vtpm-proxy", "--pvclock"),
  ...absent(
    NO_MEDIA,
    "--stub-pci-device OPTIONS",
    "--file-backed-mapping OPTIONS",
    "--pflash OPTIONS",
    "--enable-fw-cfg",
    "--fw-cfg OPTIONS",
  ),
  ...absent(NO_ASSIGNMENT, "--vfio PATH", "--vfio-platform PATH", "--vfio-platform-pm", "--vfio-isolate-hotplug", "--coiommu OPTIONS"),
  ...absent(
    "the devicetree is el2's: [vm.NAME] dtb replaces it",
    "--device-tree-overlay PATH",
    "--fdt-position PLACE",
    "--android-fstab PATH",
  ),
  ...absent(STARTS_ANEW, "--restore PATH", "--suspended", "--suspended-vcpus"),
  ...absent("el2's keys [machine] cpu and seed say what vCPUs have", "--mte", "--no-pmu", "--smccc-trng", "--nested MODE", "--ffa MODE"),
  ...absent("vCPUs are alike", "--cpu-capacity LIST", "--cpu-cluster SET", "--cpu-ipc-ratio LIST", "--dynamic-power-coefficient LIST"),
  ...absent("the address is el2's", "--mac MAC", "--mmio-address-range LIST", "--pci-start ADDRESS", "--pci OPTIONS"),
  ...absent(OWN_DEBUGGER, "--gdb PORT"),
  ...absent(NO_DEVICETREE_FILE, "--dump-device-tree-blob PATH"),
  ...ofProcess("--disable-sandbox", "--seccomp-policy-dir PATH", "--seccomp-log-failures", "--pivot-root PATH", "--socket -s PATH"),
  ...ofProcess(
    "--log-file PATH",
    "--logs-directory PATH",
    "--kernel-log-file PATH",
    "--syslog-tag TAG",
    "--exit-stats",
    "--kvm-device PATH",
  ),
  ...ofProcess(
    "--async-executor KIND",
    "--balloon-bias-mib N",
    "--balloon-control PATH",
    "--balloon-page-reporting",
    "--balloon-ws-reporting",
  ),
  ...ofProcess("--balloon-ws-num-bins N", "--battery OPTIONS", "--boost-uclamp", "--bus-lock-ratelimit N", "--core-scheduling BOOL"),
  ...ofProcess(
    "--cpu-affinity SET",
    "--delay-rt",
    "--rt-cpus SET",
    "--dev-pm KIND",
    "--disable-virtio-intx",
    "--force-disable-readonly-mem",
  ),
  ...ofProcess(
    "--hugepages",
    "--init-mem N",
    "--irqchip KIND",
    "--lock-guest-memory",
    "--netmask MASK",
    "--net-vq-pairs N",
    "--no-smt",
    "--prepare-lend-mthp",
  ),
  ...ofProcess("--no-usb", "--no-rtc", "--no-i8042", "--itmt", "--enable-hwp", "--host-cpu-topology", "--per-vm-core-scheduling"),
  ...ofProcess("--pci-hotplug-slots N", "--swap PATH", "--task-profiles LIST", "--unmap-guest-memory-on-fork", "--vcpu-cgroup-path PATH"),
  ...ofProcess(
    "--gpu-cgroup-path PATH",
    "--gpu-server-cgroup-path PATH",
    "--vhost-net",
    "--vhost-net-device PATH",
    "--vhost-vsock-device PATH",
  ),
  ...ofProcess(
    "--vhost-vsock-fd FD",
    "--vhost-user-connect-timeout-ms N",
    "--virt-cpufreq",
    "--virt-cpufreq-upstream",
    "--split-irqchip",
  ),
  ...ofProcess(
    "--break-linux-pci-config-io",
    "--force-calibrated-tsc-leaf",
    "--s2idle",
    "--slirp-capture-file PATH",
    "--acpi-table PATH",
  ),
  ...ofProcess("--oem-strings TEXT", "--smbios OPTIONS", "--user NAME"),
];

/** The options; `line` keeps what only all of them decide. */
function crosvmOptions(line: CrosvmLine, params: string[]): readonly ForeignOption[] {
  const { keys } = line.machine;
  return [
    {
      spec: "--mem -m MIB",
      becomes: (machine, value, option) => machine.memory = megabytes(option, crosvmValues(value, "size").get("size") ?? value),
    },
    { spec: "--cpus -c COUNT", becomes: (_, value, option) => line.cpu(option, value) },
    { spec: "--params -p PARAMS", becomes: (_, value) => params.push(value) },
    { spec: "--initrd -i PATH", becomes: (machine, value, option) => keys.initrd = machine.file(option, value) },
    { spec: "--bios PATH", becomes: (machine, value, option) => keys.bios = machine.file(option, value) },
    { spec: "--block -b PATH", becomes: (_, value, option) => line.disk(option, value) },
    { spec: "--disk -d PATH", becomes: (_, value, option) => line.disk(option, value, { ro: true }) },
    { spec: "--rwdisk PATH", becomes: (_, value, option) => line.disk(option, value) },
    { spec: "--root -r PATH", becomes: (_, value, option) => line.disk(option, value, { ro: true, root: true }) },
    { spec: "--rwroot PATH", becomes: (_, value, option) => line.disk(option, value, { root: true }) },
    { spec: "--serial OPTIONS", becomes: (_, value, option) => line.addSerial(option, value) },
    { spec: "--net OPTIONS", becomes: (_, value, option) => line.net(option, value) },
    ...["--tap-name NAME", "--tap-fd FD", "--host-ip IP"].map((spec): ForeignOption => ({
      spec,
      becomes: (_, value, option) => line.net(option, `tap-name=${value}`),
    })),
    {
      spec: "--vsock --cid CID",
      becomes: (machine, value, option) =>
        machine.device(option, { kind: "vsock", cid: numberOf(option, crosvmValues(value, "cid").get("cid") ?? value, 3) }),
    },
    { spec: "--shared-dir PATH:TAG", becomes: (_, value, option) => line.share(option, value) },
    { spec: "--name NAME", becomes: (machine, value) => machine.name = value },
    { spec: "--no-rng", becomes: () => line.rng = false },
    { spec: "--no-balloon", becomes: () => line.balloon = false },
    { spec: "--swiotlb MIB", becomes: (_, value, option) => keys.swiotlb = formatSize(megabytes(option, value)) },
    {
      spec: "--protected-vm-with-firmware PATH",
      becomes: (machine, value, option) => Object.assign(keys, { type: "protected", firmware: machine.file(option, value) }),
    },
    { spec: "--cpu-frequencies-khz CPU=KHZ", becomes: (_, value, option) => line.frequencies(option, value) },
    { spec: "--pstore OPTIONS", becomes: (_, value, option) => line.pstore(option, value) },
    {
      spec: "--hypervisor KIND",
      becomes: ({ tables }, value) => {
        if (!value.startsWith("geniezone")) return;
        keys.hypervisor = "geniezone";
        tables.host = { gzvm: true };
      },
    },
    ...OTHERS,
  ];
}

function megabytes(option: string, text: string): number {
  return numberOf(option, text, 1) * MiB;
}

/** The machine of `crosvm run`. @param words after `run` */
export function crosvmMachine(machine: ForeignMachine, words: readonly string[]): void {
  machine.memory = MEMORY;
  const line = new CrosvmLine(machine), params: string[] = [];
  const style = { program: "crosvm run", joined: true, nameOf: (word: string) => word.replaceAll("_", "-") } as const;
  const read = (some: readonly string[]) => applyOptions(machine, some, options, style, (word) => machine.image("kernel", word));
  const options: readonly ForeignOption[] = [
    ...crosvmOptions(line, params),
    { spec: "--cfg PATH", becomes: (_, path) => withFileWords(path, read) },
  ];
  read(words);
  line.end(params);
}
