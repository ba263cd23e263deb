// Reasons for which el2 has no equal of an option, as far as several programs have such an option.

export const NO_DISPLAY = "no GPU and no display: the guest has its consoles";
export const NO_INTERFACE = "no interface of this computer: the card is behind a NAT (net, backend user)";
export const NO_ASSIGNMENT = "no device of this computer is assigned to VMs";
export const NO_USB = "no USB";
export const NOT_PROTECTED = "the phone's firmware for protected VMs is not here: the VM is not protected";
export const OWN_DEBUGGER = "the option --gdb serves a debugger";
export const OWN_MAC = "the card has an address of el2's";
export const STARTS_ANEW = "the machine starts anew";
export const NO_DEVICETREE_FILE = "the devicetree is not written";
