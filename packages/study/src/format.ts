// How the study's readers print numbers. Amounts with units are core's formatBytes and formatSeconds.

import { formatBytes } from "@atoll/core";

/** "203,530". Intl takes 20 ms to begin with, and whole numbers, which most are, do not need it. */
export const formatCount = (value: number): string =>
  Number.isSafeInteger(value)
    ? String(value).replace(/\B(?=(\d{3})+$)/g, ",")
    : value.toLocaleString("en-US", { maximumFractionDigits: 3 });

/** Four significant digits: "0.4839", "1.234e-7". Infinite is "∞"; NaN stands for any number that was not finite. */
export function formatLoss(value: number): string {
  return Number.isFinite(value) ? significant(value, 4) : notFinite(value);
}

/** Seven significant digits, as much as a 32-bit float holds. */
export function formatExact(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(7))) : notFinite(value);
}

function notFinite(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "∞";
  return value === Number.NEGATIVE_INFINITY ? "−∞" : "not finite";
}

function significant(value: number, digits: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 1);
  return size >= 10 ** (digits - 1) ? formatCount(Math.round(value)) : value.toPrecision(digits);
}

/** Three digits: "2.70", "5,020". */
export function formatFactor(factor: number): string {
  const digits = factor.toPrecision(3);
  return Number(digits) < 1000 ? digits : formatCount(Number(digits));
}

/** A fraction as "96.41 %". */
export const formatPercent = (fraction: number, digits = 2): string =>
  Number.isFinite(fraction) ? `${(100 * fraction).toFixed(digits)} %` : notFinite(fraction);

/** Bytes per second: "42.1 MB/s"; a link without a limit is "unlimited". */
export const formatRate = (bytesPerSecond: number): string =>
  Number.isFinite(bytesPerSecond) ? `${formatBytes(bytesPerSecond)}/s` : "unlimited";
