// Each errno that a generation of the driver answers is reached here, and its reason says which
// rule was broken (docs/spec/vm-manager.md §5, §9, §10 and §12; docs/spec/geniezone.md §3.3).

import assert from "node:assert/strict";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { VcpuRunState } from "../../../src/machine/abi/words.ts";
import type { ErrnoName } from "../../../src/machine/abi/ioctl/errno.ts";
import {
  BOOT_CONTEXT,
  CREATE_MEM_ARGS,
  FN_DESC,
  FN_IRQFD_ARG,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_EL2,
  GH_LEGACY,
  GH_V6,
  LEGACY_NAME,
  MAP_MEM_ARGS,
  SIGNAL_MSI,
} from "../../../src/machine/abi/ioctl/gunyah.ts";
import { PERSONA_NAMES, type PersonaName, PERSONAS } from "../../../src/machine/abi/ioctl/personas.ts";
import { VM_PL011_SPI } from "../../../src/machine/host/boards/el2/map.ts";
import { bellLabel } from "../../../src/machine/host/boards/labels.ts";
import { signedVms } from "../../../src/machine/host/signed-vms.ts";
import { BASE, Client } from "./client.ts";
import { FakeHost } from "./fake-host.ts";
import { LONG } from "../../support/long.ts";
import { MIB, vmPlan } from "./plans.ts";

/** A misuse on a fresh host: what it answers. */
interface Misuse {
  readonly errno: ErrnoName;
  readonly reason: RegExp;
  /** Generations that have what is misused. */
  readonly in: readonly PersonaName[];
  run(vmm: Client, fake: FakeHost, persona: PersonaName): number;
}

const SERIES: readonly PersonaName[] = ["v6", "v9", "v14", "ack-6.1", "v17", "ack-6.6", "ack-6.12", "union"];
const WITH_VCPUS: readonly PersonaName[] = ["v14", "ack-6.1", "v17", "ack-6.6", "ack-6.12", "union"];
const WITH_REGIONS: readonly PersonaName[] = ["v6", "v9", "v14", "ack-6.1", "ack-6.6", "ack-6.12", "union"];
const PAGED: readonly PersonaName[] = ["v17", "ack-6.6", "ack-6.12", "union"];
const GUEST_MEMORY: readonly PersonaName[] = ["v17", "union"];

const newVm = (vmm: Client, persona: PersonaName) => vmm.ioctl(vmm.open(), persona === "v6" ? GH_V6.CREATE_VM : GH.CREATE_VM);
const setRegion = (persona: PersonaName) => persona === "v6" ? GH_V6.SET_USER_MEM_REGION : GH.SET_USER_MEM_REGION;
const start = (persona: PersonaName) => persona === "v6" ? GH_V6.START : GH.START;

/** A VM that is ready for START. */
function loaded(vmm: Client, persona: PersonaName): number {
  return persona === "v6" ? vmm.loadedVmV6().vm : persona === "v17" ? vmm.guestMemoryVm().vm : vmm.loadedVm().vm;
}

/** A VM that is started. */
function startedVm(vmm: Client, persona: PersonaName): number {
  const vm = loaded(vmm, persona);
  assert.equal(vmm.ioctl(vm, start(persona)), 0);
  return vm;
}

/** Label of the doorbell that each VM of the fake platform has. */
const BELL = bellLabel(VM_PL011_SPI);

/** A message of device 8 with event 3. */
const signalMsi = (vmm: Client, vm: number, label: number) => vmm.call(vm, GH_EL2.SIGNAL_MSI, SIGNAL_MSI, { label, device: 8, event: 3 });

/** A START that ends with an error of the Resource Manager. */
function refusedStart(error: number, errno: ErrnoName, generations: readonly PersonaName[]): Misuse {
  return {
    ...{ errno, in: generations, reason: /Resource Manager refused VM_INIT/ },
    run: (vmm, fake, persona) => {
      const vm = loaded(vmm, persona);
      fake.platform.refusals.set("VM_INIT", error);
      return vmm.ioctl(vm, start(persona));
    },
  };
}

const newVendorVm = (vmm: Client) => vmm.ioctl(vmm.open(), GH_LEGACY.CREATE_VM);
const loadVendorVm = (vmm: Client, vm: number) =>
  vmm.call(vm, GH_LEGACY.SET_FW_NAME, LEGACY_NAME, { name: [...new TextEncoder().encode("trustedvm")] });

/** A load by the vendor driver that ends with an error of the Resource Manager. */
function refusedLoad(error: number, errno: ErrnoName): Misuse {
  return {
    ...{ errno, in: ["legacy"], reason: /Resource Manager refused VM_AUTH_IMAGE/ },
    run: (vmm, fake) => {
      fake.platform.refusals.set("VM_AUTH_IMAGE", error);
      return loadVendorVm(vmm, newVendorVm(vmm));
    },
  };
}

/** Takes all descriptors of the process that are free. */
function fillDescriptors(vmm: Client, fd: number): void {
  vmm.kernel((kernel, pid) => {
    while (kernel.dup(pid, fd) >= 0);
  });
}

/** A RUN whose vcpu_run is refused. */
function refusedRun(error: number, errno: ErrnoName): Misuse {
  return {
    ...{ errno, in: WITH_VCPUS, reason: /^vcpu_run: / },
    run: (vmm, fake, persona) => {
      const vm = loaded(vmm, persona), vcpu = vmm.vcpu(vm);
      assert.equal(vmm.ioctl(vm, GH.START), 0);
      const { task } = vmm.begin(vcpu, GH.RUN);
      fake.returnRun(VcpuRunState.Ready, 0n, 0n, 0n, BigInt(error));
      return fake.await(task)!;
    },
  };
}

const MISUSES: readonly Misuse[] = [
  { errno: "ENOTTY", in: SERIES, reason: /unknown magic/, run: (vmm) => vmm.ioctl(vmm.open(), 0x5401) },
  // The vendor driver; a Resource Manager's errors come as by SET_FW_NAME and RUN.
  { errno: "EINVAL", in: ["legacy"], reason: /unknown magic/, run: (vmm) => vmm.ioctl(vmm.open(), 0x5401) },
  {
    ...{ errno: "EFAULT", in: ["legacy"], reason: /has to be readable/ },
    run: (vmm) => vmm.ioctl(newVendorVm(vmm), GH_LEGACY.SET_FW_NAME, 0),
  },
  {
    ...{ errno: "EEXIST", in: ["legacy"], reason: /loaded already/ },
    run: (vmm) => {
      const vm = newVendorVm(vmm);
      assert.equal(loadVendorVm(vmm, vm), 0);
      return loadVendorVm(vmm, vm);
    },
  },
  {
    ...{ errno: "EAGAIN", in: ["legacy"], reason: /not yet run/ },
    run: (vmm) => {
      const vm = newVendorVm(vmm);
      assert.equal(loadVendorVm(vmm, vm), 0);
      vmm.begin(vmm.ioctl(vm, GH_LEGACY.CREATE_VCPU, 0), GH_LEGACY.RUN);
      return vmm.ioctl(vm, GH_LEGACY.GET_VCPU_COUNT);
    },
  },
  {
    ...{ errno: "ENOMEM", in: ["legacy"], reason: /in one piece/ },
    run: (vmm) => {
      const vm = newVendorVm(vmm);
      vmm.place(new Uint8Array(1));
      while (vmm.kernel((kernel, pid) => kernel.mapAnonymous(pid, MIB, { read: true, write: true, contiguous: true })) > 0);
      return loadVendorVm(vmm, vm);
    },
  },
  {
    ...{ errno: "EMFILE", in: ["legacy"], reason: /no free descriptor/ },
    run: (vmm) => {
      const vm = newVendorVm(vmm);
      fillDescriptors(vmm, vm);
      return vmm.ioctl(vm, GH_LEGACY.CREATE_VCPU, 0);
    },
  },
  refusedLoad(RmError.UNIMPLEMENTED, "EOPNOTSUPP"),
  refusedLoad(RmError.NORESOURCE, "ENODEV"),
  refusedLoad(RmError.DENIED, "EPERM"),
  refusedLoad(RmError.BUSY, "EBUSY"),
  refusedLoad(RmError.VM_STATE, "EBADMSG"),
  {
    errno: "EINVAL",
    in: SERIES,
    reason: /VM type/,
    run: (vmm, _, persona) => vmm.ioctl(vmm.open(), persona === "v6" ? 0x4740 : 0x4700, 1),
  },
  {
    ...{ errno: "EFAULT", in: SERIES, reason: /has to be readable/ },
    run: (vmm, _, persona) => vmm.ioctl(newVm(vmm, persona), persona === "v6" ? GH_V6.SET_DTB_CONFIG : GH.SET_DTB_CONFIG, 0),
  },
  {
    ...{ errno: "EFAULT", in: ["v6", "v9", "v14"], reason: /every page has to be mapped/ },
    run: (vmm, _, persona) => vmm.region(newVm(vmm, persona), { userspace_addr: 0x1000n }, setRegion(persona)),
  },
  {
    ...{ errno: "EINVAL", in: WITH_REGIONS, reason: /whole pages/ },
    run: (vmm, _, persona) => vmm.region(newVm(vmm, persona), { memory_size: 1n }, setRegion(persona)),
  },
  {
    ...{ errno: "EEXIST", in: WITH_REGIONS, reason: /may not overlap/ },
    run: (vmm, _, persona) => {
      const vm = newVm(vmm, persona), userspace_addr = BigInt(vmm.memory(0x1000));
      assert.equal(vmm.region(vm, { userspace_addr }, setRegion(persona)), 0);
      return vmm.region(vm, { label: 1, userspace_addr }, setRegion(persona));
    },
  },
  {
    ...{ errno: "ENODEV", in: ["v6", "v9"], reason: /there is none/ },
    run: (vmm, _, persona) => vmm.region(newVm(vmm, persona), { memory_size: 0n }, setRegion(persona)),
  },
  {
    ...{ errno: "ENOMEM", in: ["v6", "v9", "v14"], reason: /contiguous kernel memory, .* up to 2GiB/ },
    run: (vmm, _, persona) => vmm.region(newVm(vmm, persona), { memory_size: 1n << 40n }, setRegion(persona)),
  },
  {
    ...{ errno: "ENOMEM", in: ["v14"], reason: /RLIMIT_MEMLOCK/ },
    run: (vmm, _, persona) => {
      const vm = newVm(vmm, persona), userspace_addr = BigInt(vmm.memory(0x2000));
      vmm.kernel((kernel, pid) => (kernel.setuid(pid, 1), kernel.setMemlock(pid, 0x1000)));
      return vmm.region(vm, { memory_size: 0x2000n, userspace_addr });
    },
  },
  {
    ...{ errno: "EPERM", in: ["v14", "ack-6.6", "ack-6.12", "union"], reason: /address space that created/ },
    run: (vmm, fake, persona) => {
      const vm = newVm(vmm, persona);
      return new Client(fake, vmm.kernel((kernel, pid) => kernel.fork(pid))).region(vm);
    },
  },
  {
    ...{ errno: "EOVERFLOW", in: PAGED, reason: /may not wrap/ },
    run: (vmm, _, persona) => vmm.setDevicetree(newVm(vmm, persona), 0xffff_ffff_ffff_f000n, 0x2000n),
  },
  {
    ...{ errno: "EMFILE", in: SERIES, reason: /no free descriptor/ },
    run: (vmm, _, persona) => {
      const device = vmm.open();
      fillDescriptors(vmm, device);
      return vmm.ioctl(device, persona === "v6" ? GH_V6.CREATE_VM : GH.CREATE_VM);
    },
  },
  // Guest memfds.
  {
    ...{ errno: "EINVAL", in: GUEST_MEMORY, reason: /reserved words/ },
    run: (vmm) => vmm.call(vmm.open(), GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: 0x1000n, reserved: [1n] }),
  },
  {
    ...{ errno: "ENOENT", in: GUEST_MEMORY, reason: /no binding/ },
    run: (vmm) => {
      const device = vmm.open(), vm = vmm.ioctl(device, GH.CREATE_VM);
      const guest_mem_fd = vmm.call(device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: 0x1000n });
      return vmm.call(vm, GH.MAP_MEM, MAP_MEM_ARGS, { flags: 0x170, guest_mem_fd, size: 0x1000n });
    },
  },
  {
    ...{ errno: "EEXIST", in: GUEST_MEMORY, reason: /bindings of a VM/ },
    run: (vmm) => {
      const device = vmm.open(), vm = vmm.ioctl(device, GH.CREATE_VM);
      const guest_mem_fd = vmm.call(device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: 0x2000n });
      const map = (offset: bigint) => vmm.call(vm, GH.MAP_MEM, MAP_MEM_ARGS, { flags: 0x70, guest_mem_fd, offset, size: 0x1000n });
      assert.equal(map(0n), 0);
      return map(0x1000n);
    },
  },
  {
    ...{ errno: "EPERM", in: GUEST_MEMORY, reason: /address space that created/ },
    run: (vmm, fake) => {
      const vm = vmm.createVm();
      return new Client(fake, vmm.kernel((kernel, pid) => kernel.fork(pid))).ioctl(vm, GH.MAP_MEM, 0);
    },
  },
  {
    ...{ errno: "EINVAL", in: PAGED, reason: /X0\.\.X31/ },
    run: (vmm) => vmm.call(vmm.createVm(), GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg: 32 }),
  },
  {
    ...{ errno: "ENOENT", in: ["ack-6.12", "union"], reason: /nothing is registered/ },
    run: (vmm) => vmm.call(vmm.createVm(), GH_ANDROID.SET_AUTH_TYPE, FN_DESC, { type: 9 }),
  },
  // START.
  {
    ...{ errno: "EINVAL", in: ["v6", "v9", "v14"], reason: /devicetree has to lie/ },
    run: (vmm, _, persona) => vmm.ioctl(newVm(vmm, persona), start(persona)),
  },
  {
    ...{ errno: "ENOENT", in: PAGED, reason: /devicetree has to lie/ },
    run: (vmm, _, persona) => {
      const vm = newVm(vmm, persona);
      vmm.setDevicetree(vm, BASE, 0x1000);
      return vmm.ioctl(vm, GH.START);
    },
  },
  {
    ...{ errno: "ENODEV", in: WITH_VCPUS, reason: /starts once/ },
    run: (vmm) => {
      const vm = vmm.createVm();
      vmm.ioctl(vm, GH.START);
      return vmm.ioctl(vm, GH.START);
    },
  },
  refusedStart(RmError.DENIED, "EINVAL", ["v6", "v9"]),
  refusedStart(RmError.UNIMPLEMENTED, "EOPNOTSUPP", WITH_VCPUS),
  refusedStart(RmError.NOMEM, "ENOMEM", WITH_VCPUS),
  refusedStart(RmError.NORESOURCE, "ENODEV", WITH_VCPUS),
  refusedStart(RmError.DENIED, "EPERM", WITH_VCPUS),
  refusedStart(RmError.BUSY, "EBUSY", WITH_VCPUS),
  refusedStart(RmError.VM_STATE, "EBADMSG", WITH_VCPUS),
  // Functions and vCPUs.
  {
    ...{ errno: "ENOENT", in: WITH_VCPUS, reason: /VCPU 1, IRQFD 2/ },
    run: (vmm) => vmm.add(vmm.createVm(), 9, FN_VCPU_ARG, { id: 0 }),
  },
  {
    ...{ errno: "EEXIST", in: WITH_VCPUS, reason: /used once/ },
    run: (vmm) => {
      const vm = vmm.createVm();
      vmm.vcpu(vm);
      return vmm.vcpu(vm);
    },
  },
  {
    ...{ errno: "EBADF", in: WITH_VCPUS, reason: /has to be open/ },
    run: (vmm) => vmm.add(vmm.createVm(), FunctionType.Irqfd, FN_IRQFD_ARG, { fd: 77 }),
  },
  {
    ...{ errno: "ENODEV", in: WITH_VCPUS, reason: /after START only/ },
    run: (vmm) => vmm.ioctl(vmm.vcpu(vmm.createVm()), GH.RUN),
  },
  // el2's own request for messages.
  {
    ...{ errno: "EFAULT", in: WITH_VCPUS, reason: /has to be readable/ },
    run: (vmm, _, persona) => vmm.ioctl(startedVm(vmm, persona), GH_EL2.SIGNAL_MSI, 0x1000),
  },
  {
    ...{ errno: "ENOENT", in: WITH_VCPUS, reason: /no doorbell of the VM has this label/ },
    run: (vmm, _, persona) => signalMsi(vmm, startedVm(vmm, persona), BELL + 1),
  },
  {
    // Before START a VM has no doorbells.
    ...{ errno: "ENOENT", in: WITH_VCPUS, reason: /no doorbell of the VM has this label/ },
    run: (vmm, _, persona) => signalMsi(vmm, loaded(vmm, persona), BELL),
  },
  {
    ...{ errno: "EIO", in: WITH_VCPUS, reason: /doorbell_send failed/ },
    run: (vmm, fake, persona) => {
      const vm = startedVm(vmm, persona);
      assert.equal(signalMsi(vmm, vm, BELL), 0);
      assert.deepEqual(fake.platform.calls.filter((call) => call.startsWith("send")).map((call) => call.split(" ")[2]), [
        `${(8n << 32n) + 3n}`,
      ]);
      fake.platform.doorbellError = ErrorCode.CSPACE_INSUFFICIENT_RIGHTS;
      return signalMsi(vmm, vm, BELL);
    },
  },
  {
    ...{ errno: "ENOTTY", in: ["v6", "v9"], reason: /is EL2_VM_SIGNAL_MSI of v14, .*; this device speaks v/ },
    run: (vmm, _, persona) => signalMsi(vmm, newVm(vmm, persona), BELL),
  },
  refusedRun(ErrorCode.DENIED, "EACCES"),
  refusedRun(ErrorCode.CSPACE_INSUFFICIENT_RIGHTS, "EACCES"),
  refusedRun(ErrorCode.IDLE, "EBUSY"),
  refusedRun(ErrorCode.NOMEM, "ENOMEM"),
  refusedRun(ErrorCode.ARGUMENT_INVALID, "EINVAL"),
  refusedRun(ErrorCode.VIRQ_NOT_BOUND, "EIO"),
];

/** Those whose misuses others have, too, run with the full numbers. */
const ALIKE: readonly PersonaName[] = ["v9", "ack-6.1", "ack-6.6", "ack-6.12"];

for (const persona of PERSONA_NAMES) {
  if (!PERSONAS[persona].device || !LONG && ALIKE.includes(persona)) continue;
  Deno.test(`each errno of ${persona} is reached, with a reason`, () => {
    const reached = new Set<ErrnoName>();
    for (const misuse of MISUSES) {
      if (!misuse.in.includes(persona)) continue;
      const fake = new FakeHost(persona, { signed: signedVms([vmPlan("trustedvm", { console: false })]) });
      const vmm = new Client(fake);
      const result = misuse.run(vmm, fake, persona);
      vmm.refused(result, misuse.errno, misuse.reason);
      assert.match(fake.lastRule()!.section, /^(vm-manager|geniezone) \d/);
      reached.add(misuse.errno);
    }
    assert.deepEqual([...reached].sort(), EXPECTED[persona]);
  });
}

const OF_SERIES = ["EEXIST", "EFAULT", "EINVAL", "EMFILE", "ENODEV", "ENOMEM", "ENOTTY"] as const;
const WITH_FUNCTIONS = ["EACCES", "EBADF", "EBADMSG", "EBUSY", "EIO", "ENOENT", "EOPNOTSUPP", "EPERM"] as const;

/** Errors that each generation can return. EINTR is not a refusal. */
const EXPECTED: Readonly<Partial<Record<PersonaName, readonly ErrnoName[]>>> = {
  legacy: ["EAGAIN", "EBADMSG", "EBUSY", "EEXIST", "EFAULT", "EINVAL", "EMFILE", "ENODEV", "ENOMEM", "EOPNOTSUPP", "EPERM"],
  v6: [...OF_SERIES],
  v9: [...OF_SERIES],
  ...Object.fromEntries(["v14", "ack-6.1"].map((name) => [name, [...OF_SERIES, ...WITH_FUNCTIONS].sort()])),
  ...Object.fromEntries(PAGED.map((name) => [name, [...OF_SERIES, ...WITH_FUNCTIONS, "EOVERFLOW"].sort()])),
};
