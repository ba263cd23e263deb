// What the native host is asked to run: its VMs with their images, as plain data (WORKSTATION.md section 3).
// The configuration is checked before a plan is made; the host takes a plan's numbers as they are.

/** What a VM is loaded with. Offsets are from the start of its memory. */
export interface VmImage {
  /** Bytes of the image as they lie in memory; what follows up to `size` is zero. */
  readonly bytes: Uint8Array;
  /** Where `bytes` go. */
  readonly offset: number;
  /** Bytes that the image occupies when it runs, `.bss` included. */
  readonly size: number;
  /** The first instruction. */
  readonly entry: number;
}

/** An object that two VMs share, as one of them sees it. `label` finds it in the devicetree, `peer` is the other VM's name. */
export type VmLink =
  | { readonly kind: "message-queue-pair"; readonly label: number; readonly peer: string; readonly depth: number; readonly size: number }
  /** This VM is rung. */
  | { readonly kind: "doorbell"; readonly label: number; readonly peer: string; readonly sourceCanClear: boolean }
  /** This VM rings. */
  | { readonly kind: "doorbell-source"; readonly label: number; readonly peer: string; readonly sourceCanClear: boolean };

/** What happens when a VM has exited. */
export type OnExit = "stop" | "restart" | "end-session";

/** One VM. It is unauthenticated, its memory is lent, and its vCPUs are proxy-scheduled. */
export interface VmPlan {
  readonly name: string;
  readonly image: VmImage;
  readonly initrd: Uint8Array | undefined;
  /** `/chosen/bootargs`. */
  readonly cmdline: string;
  /** Bytes of RAM, a multiple of 2 MiB. */
  readonly memory: number;
  /** IPA of RAM, a multiple of 2 MiB. */
  readonly base: number;
  /** 1..8. */
  readonly vcpus: number;
  /** Whether it has a PL011, its console. */
  readonly console: boolean;
  readonly links: readonly VmLink[];
  readonly onExit: OnExit;
}

/** The native host and its VMs. */
export interface NativeHostPlan {
  /** Bytes of RAM that the host keeps for itself, a multiple of 2 MiB. Its VMs' memory and files are added. */
  readonly memory: number;
  /** How many of the primary VM's vCPUs take part, at most one for each physical CPU. */
  readonly vcpus: number;
  /** Started in this order. */
  readonly vms: readonly VmPlan[];
}
