// The devicetree in which the Resource Manager reads how to make a GenieZone VM: EL2 writes it from
// the ioctls' arguments, so that GenieZone guests need no gunyah-vm-config (docs/spec/geniezone.md
// §10; docs/spec/resource-manager.md §7.1).

import { GZVM_SPIS } from "../../abi/geniezone/calls.ts";
import { EDGE_RISING, SPI } from "../../devicetree/gic.ts";
import { cells, cells64, type Devicetree, devicetree, node } from "../../devicetree/tree.ts";

const PHANDLE_GIC = 1;

/** The ioctls' arguments. Addresses are the guest's, sizes in bytes. */
interface GzvmConfig {
  readonly name: string;
  readonly vcpus: number;
  readonly memory: readonly { readonly base: number; readonly size: number }[];
  /** Where this tree itself lies. */
  readonly base: number;
  readonly distributor: number;
  readonly redistributor: number;
}

const DISTRIBUTOR_SIZE = 0x1_0000, REDISTRIBUTOR_SIZE = 0x2_0000;

/** Builds it. */
export function gzvmConfigTree({ name, vcpus, memory, base, distributor, redistributor }: GzvmConfig): Devicetree {
  const range = (count: number) => Array.from({ length: count }, (_, index) => index);
  const intc = `intc@${distributor.toString(16)}`;
  return devicetree(node("", { "#address-cells": 2, "#size-cells": 2, "interrupt-parent": PHANDLE_GIC, compatible: "linux,dummy-virt" }, [
    node("chosen", {}),
    node("memory", { device_type: "memory", reg: cells64(...memory.flatMap(({ base, size }) => [base, size])) }),
    node(
      "cpus",
      { "#address-cells": 1, "#size-cells": 0 },
      range(vcpus).map((index) =>
        node(`cpu@${index}`, { device_type: "cpu", compatible: "arm,armv8", reg: index, "enable-method": "psci" })
      ),
    ),
    node("psci", { compatible: ["arm,psci-1.0", "arm,psci-0.2"], method: "hvc" }),
    node(intc, {
      compatible: "arm,gic-v3",
      "#interrupt-cells": 3,
      "interrupt-controller": true,
      phandle: PHANDLE_GIC,
      reg: cells64(distributor, DISTRIBUTOR_SIZE, redistributor, REDISTRIBUTOR_SIZE * vcpus),
    }),
    node("gunyah-vm-config", { "#address-cells": 2, "#size-cells": 2, "image-name": name, "os-type": "linux" }, [
      node("memory", { "base-address": cells64(base) }),
      node("interrupts", { config: `/${intc}` }),
      node("vcpus", { config: "/cpus", affinity: "proxy" }),
      node(
        "vdevices",
        { generate: "/hypervisor" },
        range(GZVM_SPIS).map((spi) =>
          node(`bell-${spi.toString(16)}`, {
            "vdevice-type": "doorbell",
            generate: `/hypervisor/bell-${spi.toString(16)}`,
            "qcom,label": spi,
            "peer-default": true,
            "source-can-clear": true,
            interrupts: cells(SPI, spi, EDGE_RISING),
          })
        ),
      ),
    ]),
  ]));
}
