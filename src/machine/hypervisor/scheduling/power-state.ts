// Power states of vCPUs as PSCI writes them (Arm DEN 0022; docs/spec/hypervisor.md §5.6).

/** power_state: the CPU loses its registers. The platform uses the original format. */
export const POWER_STATE_POWERDOWN = 1 << 16;
/** The deepest state of a CPU, which CPU_DEFAULT_SUSPEND enters. */
export const DEEPEST_POWER_STATE = POWER_STATE_POWERDOWN | 1;

/** Arguments of a reset, as vcpu_run reports them. */
export interface SystemReset {
  readonly kind: "reset" | "reset2";
  /** SYSTEM_RESET2 of the 64-bit convention. */
  readonly wide: boolean;
  readonly type: number;
  readonly cookie: bigint;
}
