// A VM of a machine that is known before it runs, for rules that name it or what it has.

export interface KnownVm {
  readonly name: string;
  /** Undefined where a guest's program decides it. */
  readonly vcpus: number | undefined;
  /** Its virtio devices, such as `blk0`. */
  readonly devices: readonly string[];
}
