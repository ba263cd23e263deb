// The software at EL2, as the machine sees it: the hypervisor implements this, the machine calls it
// (docs/architecture/machine.md, "Turns").

export interface PhysicalCpu {
  readonly index: number;
  /** Virtual time (ns) that this CPU has reached. EL2 advances it while it runs. */
  position: number;
  /** Virtual time (ns) spent with nothing to run. */
  idle: number;
}

export interface El2 {
  /**
   * Runs vCPUs on `cpu` until its position reaches the end of the turn (`Machine.turnEnd`; native
   * guests may go a little further), or that of a later one (`Machine.horizon`, `Machine.pass`).
   * Comes back early, with the position where that happened, when nothing is runnable on it any
   * more or when the running vCPU can only wait for another CPU (WFE, YIELD): the rest of the turn
   * is idle.
   */
  run(cpu: PhysicalCpu): void;
  /** Whether `cpu` has anything to run now. */
  runnable(cpu: PhysicalCpu): boolean;
  /**
   * A physical interrupt line (SPI) changed its level. Called from device models and from the
   * session.
   */
  interrupt(intid: number, level: boolean): void;
}
