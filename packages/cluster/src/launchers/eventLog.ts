// A job's events: few, kept, and told to each reader from the first on.

export interface EventLog<E> {
  push(event: E): void;
  close(): void;
  read(): AsyncIterable<E>;
}

export function eventLog<E>(): EventLog<E> {
  const events: E[] = [];
  let closed = false;
  let changed = Promise.withResolvers<void>();
  const tell = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  return {
    push(event) {
      events.push(event);
      tell();
    },
    close() {
      closed = true;
      tell();
    },
    async *read() {
      for (let next = 0; ; ) {
        while (next < events.length) yield events[next++]!;
        if (closed) return;
        await changed.promise;
      }
    },
  };
}
