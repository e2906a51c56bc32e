// Units of simulated quantities, as branded numbers: a latency cannot be passed where a size is expected.
// Wall-clock quantities are plain numbers whose name ends in the unit (`timeoutMs`).

declare const unit: unique symbol;
type Brand<U extends string> = { readonly [unit]: U };

/** Simulated time or duration, in seconds. */
export type Seconds = number & Brand<"s">;
/** An amount of data, in bytes. */
export type Bytes = number & Brand<"B">;
/** A transfer rate, in bytes (not bits) per second; 1 MB/s is 10⁶. */
export type BytesPerSecond = number & Brand<"B/s">;
/** A node's number, from 0 to worldSize − 1. */
export type Rank = number;

export const seconds = (value: number): Seconds => value as Seconds;
export const bytes = (value: number): Bytes => value as Bytes;
export const bytesPerSecond = (value: number): BytesPerSecond => value as BytesPerSecond;

const scaled = (value: number, steps: readonly (readonly [number, string])[]): string => {
  const [factor, suffix] = steps.find(([limit]) => Math.abs(value) >= limit) ?? steps.at(-1)!;
  const amount = value / factor;
  return `${Math.abs(amount) >= 100 || Number.isInteger(amount) ? amount.toFixed(0) : amount.toPrecision(3)} ${suffix}`;
};

/** "1.63 MB": decimal multiples, as the network profiles use them. */
export const formatBytes = (value: number): string =>
  scaled(value, [
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
    [1, "B"],
  ]);

/** "12.3 s", "4.50 ms", "2 min 5 s". */
export const formatSeconds = (value: number): string => {
  if (value >= 3600) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  if (value >= 120) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
  if (value === 0) return "0 s";
  return scaled(value, [
    [1, "s"],
    [1e-3, "ms"],
    [1e-6, "µs"],
  ]);
};
