// The meaning of each key of el2.toml in a few words, for the schema that editors use and for
// docs/reference/configuration.md. docs/configuration.md has the details.

export const MACHINE_TEXTS = {
  cpus: "physical CPUs",
  memory: "RAM of the host VM and all other VMs together",
  turbo: "skip idle time instead of sleeping through it",
  record: '"off", or the file that the run is recorded to',
  seed: "seed of all randomness that guests see",
  cpu: 'a rung (v8, v8.2, v8.4, v8.6, max), a core or a phone, and changes: "v8.4,+FEAT_RNG" (el2 cpu ls)',
  cap_ids: "random: capability ids cannot be guessed, as in production",
  quirks: "as-observed: reproduce the known deviations of the recorded hypervisor",
  hypervisor_node: "form of /hypervisor in the primary VM's devicetree",
  strict: "stop at the first guest call or access that el2 does not model, or that a CPU may refuse",
  check: "check the hypervisor's invariants after every operation",
  phone: "profile of a phone; it sets the keys that the file leaves out",
  idle_watchdog: "refuse: turning off a watchdog that is off is an error",
  page_tables: "stage-2 page tables for all VMs together; each maps 16 MiB of addresses",
  ipa_bits: "addresses of VMs have 36 bits, as recorded, or 40, as on phones",
  abi: "newer: also the hypercalls and properties of the newer open drop",
  pv_time: 'VMs can read how much time was stolen from their vCPUs: Linux prints "using stolen time PV"',
  geniezone: "the primary VM has GenieZone's hypercalls beside Gunyah's, and their node in its devicetree",
  msi: "message-signaled interrupts of the primary VM: a GICv2m frame, or LPIs and an ITS",
} as const;

export const HOST_TEXTS = {
  kind: "native: the built-in host; image: an image runs as the primary VM",
  memory: "native: what the host keeps for itself; image: RAM of the primary VM",
} as const;

export const NATIVE_HOST_TEXTS = {
  vcpus: "how many of the host's vCPUs run VMs",
  device: "generation of /dev/gunyah",
  gzvm: "offer /dev/gzvm too",
  gzvm_probe: "why /dev/gzvm is missing although the host has GenieZone: silent, no-node",
  memlock: "locked-memory limit of the VMMs",
  max_order: "largest block of contiguous kernel memory: 2^N pages",
  boot_context: "what SET_BOOT_CONTEXT answers",
  unpinnable: "percentage of the host's pages that cannot be pinned",
  huge_pages: "2 MiB pages that the host has left for VMs' memory, which VMMs reserve in such pages",
  reclaim_after: "time after the start of a VM at which the host reclaims a page of it; drivers then do not pin what they lend",
  scm_max: "greatest VMID that the secure world has an id for",
  timer_wakeups: "who wakes vCPUs at their timers",
} as const;

export const IMAGE_HOST_TEXTS = {
  kernel: "arm64 Linux Image of the primary VM",
  image: "instead of a kernel: bare metal, ELF or raw",
  initrd: "initial ramdisk of the kernel",
  symbols: "ELF file with symbols, for display and debuggers",
  cmdline: "kernel command line: /chosen/bootargs",
  dtb: "file that replaces the platform's devicetree",
  firmware: "firmware in flash",
  firmware_vars: "file that keeps the firmware's variables",
  rtc: 'the time at which the real-time clock starts: "now" (the default), or a date',
  devices: "the primary VM's devices",
  bus: "bus of the virtio devices: slots of virtio-mmio, or a PCI host",
  uart: "serial port of the console",
  platform_devices: 'devices of crosvm\'s platform; pvpanic needs bus = "pci"',
} as const;

export const RM_TEXTS = {
  kind: "native: the built-in Resource Manager; image: an AArch64 program",
  runtime: "image only: ELF file where execution starts",
  app: "image only: ELF file that the runtime starts",
  auth: "authentication types that the platform accepts",
  parcels: "most memory parcels that a VM owns",
  parcels_held: "how many of them drivers of the host hold from the start",
  reserved_memory: "must-match: VM_START needs a /reserved-memory node for each shared parcel; never: it compares nothing",
  size_max: "span: a VM accepts memory only in the size-max bytes from its base-address, as on phones",
  low_memory: "memory that it adds at 1 GiB to VMs that are filled on demand; they cannot execute it",
} as const;

export const VM_TEXTS = {
  hypervisor: "whose device the VMM uses; geniezone needs [host] gzvm = true",
  platform: "the board that the VMM builds: el2's own, or that of crosvm or QEMU, with their addresses, PCI and devicetree",
  msi: "how PCI functions send interrupts; its on Gunyah, else gicv2m",
  type: "protected: starts in firmware, and nobody else can read its memory",
  firmware: "raw code, entered at its first byte",
  kernel: "arm64 Linux Image; a path relative to this file, or catalog:GUEST/FILE",
  image: "instead of a kernel: bare metal, ELF or raw",
  bios: "instead of a kernel: crosvm: raw firmware, 2 MiB after the start of RAM; qemu-virt: U-Boot or EDK2 in flash",
  bios_vars: "file that keeps the bios's variables; without one they are lost with the VM",
  built: "what kernel, image or bios should be a copy of; if the VM fails and it is not, the verdict says so",
  initrd: "initial ramdisk of the kernel",
  symbols: "ELF file with symbols, for display and debuggers",
  cmdline: "kernel command line: /chosen/bootargs",
  memory: "RAM of the VM",
  swiotlb: "part of the RAM that VM and VMM share for DMA; 64MiB if protected, else none",
  datamatch_flag: "flag by which the VMM asks the driver to compare an ioeventfd's data; crosvm sends 2, and Gunyah's is 1",
  bios_tree: "room that the bios has for its copy of the devicetree, such as 32KiB; by default the zeros before its code",
  without_access_platform: 'kinds of devices that do not offer VIRTIO_F_ACCESS_PLATFORM, such as ["block"]',
  cpu_frequencies: "frequencies (kHz, rising) that a virtual cpufreq device offers; none by default",
  base: "IPA of the RAM",
  windows: "more RAM above it, each { base, size }; only with drivers that fill VMs on demand",
  size_max: "size-max of the VM's configuration; crosvm's 30 GiB on its board, else none",
  vcpus: "number of vCPUs, at most one per physical CPU",
  schedule: "proxy: the host's vCPUs run it; own: the hypervisor schedules it",
  affinity: "own only: whether vCPUs may move between physical CPUs",
  affinity_map: "own only: a physical CPU for each vCPU",
  priority: "own only: offset to the owner's priority",
  timeslice: "own only: how long a vCPU runs before another of its priority",
  start: "when the VM starts; after:NAME: once that VM runs",
  on_exit: "what happens when the VM ends",
  dtb: "file that replaces the generated devicetree",
  devices: "the VM's devices; virtio devices take their slots in this order",
} as const;

export const WINDOW_TEXTS = {
  base: "its first IPA",
  size: "its bytes, a multiple of 2 MiB",
} as const;

export const HISTORY_TEXTS = {
  memory: "memory for states of the run, from which going back starts (160MiB by default); --memory-budget takes precedence",
  disk: "size of the file that takes states when the memory is full (1GiB by default); 0KiB: none; --disk-budget takes precedence",
} as const;

export const UI_TEXTS = {
  theme: "colors of the screens: auto, a theme of el2, or one of [ui.themes]",
  themes: "your own themes: colors by role that replace those of another theme",
  mouse: "false: the terminal keeps the mouse",
  ascii: "draw only ASCII, except guests' text",
  background: "terminal: the page keeps the terminal's own background",
  braille: "false: graphs are drawn with blocks",
  motion: "off: graphs advance only when a key is pressed",
  layout: "the key of the screen at the start, if none is stored",
  console_prefix: "the key that returns the keys from a guest",
  keys: "a key for an action, by the action's name",
} as const;

export const COMMAND_TEXTS = {
  name: "its name in menus and messages",
  key: "a key that starts it",
  where: "kinds of ids of the rows that have it, such as vm; without it, every screen",
  run: "the program and its arguments; {FIELD} is a field of the selected row",
  confirm: "ask first",
  output: "where its output is shown",
  timeout: "wall time after which it is ended",
  read_only: "true: it changes nothing, and also runs in a read-only session",
} as const;

export const THEME_TEXTS = {
  based_on: "the theme whose colors this one changes; each other key is a role",
} as const;

export const FILE_TEXTS = {
  el2: "version of this format: 1",
  machine: "the machine",
  host: "the primary VM",
  rm: "the Resource Manager, in the root VM",
  vm: "the VMs by name",
  link: "what VMs share, by name",
  history: "what going back may take",
  ui: "the screens",
} as const;

/** By the kind of a device. */
export const DEVICE_TEXTS = {
  pl011: {
    kind: "a serial port",
    log: "file that the console is logged to",
  },
  console: {
    kind: "virtio consoles",
    ports: "names of the ports; the first is /dev/hvc0",
  },
  block: {
    kind: "a virtio disk",
    image: "the disk's image",
    mode: "overlay: changes stay in memory",
  },
  net: {
    kind: "a virtio network card",
    backend: "user: NAT to the internet; pair:NAME: a switch; none",
    forward: "ports of the computer that lead to the guest",
    capture: "pcapng file that packets are written to",
    host: "of user: this computer can be reached, as 10.0.2.2",
    lan: "of user: private networks can be reached",
    internet: "of user: false: the internet cannot be reached",
    allow: "of user: addresses that can be reached in any case",
    deny: "of user: addresses that cannot be reached in any case",
  },
  vsock: {
    kind: "virtio sockets between guests and programs",
    cid: "context id; by default 4, 5, … in the order of the VMs",
    path: "socket for the computer's programs",
  },
  rng: {
    kind: "a virtio source of randomness",
  },
  "9p": {
    kind: "a folder of the computer",
    folder: "the folder",
    mode: "ro: the guest cannot write; rw: no other session shares the folder",
    tag: "what the guest mounts it by",
  },
  balloon: {
    kind: "a virtio balloon",
  },
  input: {
    kind: "a virtio keyboard or tablet",
    type: "which of both",
  },
} as const;

/** By the kind of a link. */
export const LINK_TEXTS = {
  "msgqueue-pair": {
    kind: "a pair of message queues",
    label: "number by which guests find it; unique per kind in each VM",
    between: "the two VMs",
    depth: "messages in each queue",
    size: "bytes of a message",
  },
  doorbell: {
    kind: "a doorbell",
    label: "number by which guests find it; unique per kind in each VM",
    from: "the VM that rings",
    to: "the VM that is rung",
    source_can_clear: "the VM that rings can clear it",
  },
  shm: {
    kind: "memory that the host shares",
    label: "number by which guests find it; unique per kind in each VM",
    size: "whole pages",
    access: "r or rw for each VM",
  },
} as const;
