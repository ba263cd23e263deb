// A page in a browser that opens a WebSocket to a port of this computer.

/** Whether the port took it for one. */
export function webSocketTo(port: number): Promise<"open" | "refused"> {
  const { promise, resolve } = Promise.withResolvers<"open" | "refused">();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/$k%236b`);
  socket.onopen = () => {
    socket.close();
    resolve("open");
  };
  socket.onerror = () => resolve("refused");
  return promise;
}
