// Names of the bits of registers that drivers poll, by the register's name.

export const REGISTER_BITS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  // PL011 (Arm DDI 0183, 3.3.3).
  FR: { 0: "CTS", 3: "BUSY", 4: "RXFE", 5: "TXFF", 6: "RXFF", 7: "TXFE" },
  RIS: { 4: "RXRIS", 5: "TXRIS", 6: "RTRIS" },
  // 16550.
  LSR: { 0: "DR", 5: "THRE", 6: "TEMT" },
  // Virtio 1.2, 2.1 and 4.2.2.
  Status: { 0: "ACKNOWLEDGE", 1: "DRIVER", 2: "DRIVER_OK", 3: "FEATURES_OK", 6: "DEVICE_NEEDS_RESET", 7: "FAILED" },
  InterruptStatus: { 0: "used buffer", 1: "configuration change" },
  // Arm ARM D19.
  ISR_EL1: { 6: "F", 7: "I" },
  CNTV_CTL_EL0: { 0: "ENABLE", 1: "IMASK", 2: "ISTATUS" },
  CNTP_CTL_EL0: { 0: "ENABLE", 1: "IMASK", 2: "ISTATUS" },
};
