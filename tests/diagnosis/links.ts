// Links of two VMs `x` and `y` of diagnoses: queues, doorbells, shared memory.

/** Bells and queues between both, and memory that both can write. */
export const LINKS = `[link]
ring = { kind = "doorbell", label = 2, from = "y", to = "x" }
other = { kind = "doorbell", label = 3, from = "x", to = "y" }
messages = { kind = "msgqueue-pair", label = 1, between = ["x", "y"], depth = 8, size = 64 }
board = { kind = "shm", label = 4, size = "64KiB", access = { x = "rw", y = "rw" } }
`;
