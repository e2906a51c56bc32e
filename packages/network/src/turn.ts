// One turn of the host's event loop. A promise reaction is a microtask, and every microtask runs before the next
// macrotask: so after a turn, all code that was waiting for settled promises has gone on as far as it can.
// A timer would do as well but browsers make it wait 4 ms.

export function turn(): Promise<void> {
  if (typeof setImmediate === "function") return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
