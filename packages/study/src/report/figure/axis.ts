// Scales with their ticks and a label with the unit. Linear and logarithmic; a domain of one value is widened.

import { scaleLinear, scaleLog } from "d3-scale";
import { formatCount } from "../../format.ts";

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Axis {
  readonly label: string;
  readonly ticks: readonly Tick[];
  /** Where a value lies, in SVG units. */
  position(value: number): number;
}

/** A unit that numbers on an axis are divided by, so that they stay short. */
export interface Unit {
  readonly factor: number;
  /** As in "time (min)"; empty for pure numbers. */
  readonly symbol: string;
}

export const noUnit: Unit = { factor: 1, symbol: "" };

const timeUnits: readonly Unit[] = [
  { factor: 86_400, symbol: "d" },
  { factor: 3600, symbol: "h" },
  { factor: 60, symbol: "min" },
  { factor: 1, symbol: "s" },
  { factor: 1e-3, symbol: "ms" },
  { factor: 1e-6, symbol: "µs" },
];

const byteUnits: readonly Unit[] = [
  { factor: 1e12, symbol: "TB" },
  { factor: 1e9, symbol: "GB" },
  { factor: 1e6, symbol: "MB" },
  { factor: 1e3, symbol: "kB" },
  { factor: 1, symbol: "B" },
];

const flopUnits: readonly Unit[] = [
  { factor: 1e18, symbol: "10¹⁸" },
  { factor: 1e15, symbol: "10¹⁵" },
  { factor: 1e12, symbol: "10¹²" },
  { factor: 1e9, symbol: "10⁹" },
  { factor: 1e6, symbol: "10⁶" },
  { factor: 1, symbol: "" },
];

const largestBelow = (units: readonly Unit[], value: number): Unit =>
  units.find(({ factor }) => value >= factor) ?? units.at(-1)!;

/** The unit for seconds up to `maximum`: minutes from three minutes on, hours from three hours on. */
export const timeUnit = (maximum: number): Unit =>
  maximum >= 60 ? largestBelow(timeUnits, maximum / 3) : largestBelow(timeUnits, maximum);

/** The unit for bytes up to `maximum`. */
export const byteUnit = (maximum: number): Unit => largestBelow(byteUnits, maximum);

/** The unit for floating-point operations up to `maximum`. */
export const flopUnit = (maximum: number): Unit => largestBelow(flopUnits, maximum);

export interface AxisOptions {
  /** Smallest and largest value. */
  readonly domain: readonly [number, number];
  /** Their places, in SVG units; the first may be the larger (a y axis). */
  readonly range: readonly [number, number];
  readonly label: string;
  readonly unit?: Unit;
  /** About how many ticks. */
  readonly tickCount?: number;
  /** True where only whole numbers make sense, such as steps. */
  readonly whole?: boolean;
  /** True where the axis may go on beyond the domain, to a round value or so that no point lies on its edge. */
  readonly rounded?: boolean;
}

const withUnit = (label: string, { symbol }: Unit): string =>
  symbol === "" ? label : `${label} (${symbol})`;

export function linearAxis(options: AxisOptions): Axis {
  const { domain, range, label, unit = noUnit, tickCount = 5, whole, rounded } = options;
  const [low, high] = widen(domain);
  const scale = scaleLinear([low / unit.factor, high / unit.factor], range);
  if (rounded) scale.nice(tickCount);
  const values = scale.ticks(tickCount).filter((value) => !whole || Number.isInteger(value));
  const size = Math.max(...scale.domain().map(Math.abs));
  const words = size < 1e6 && size >= 1e-3 ? scale.tickFormat(tickCount) : exponential;
  return {
    label: withUnit(label, unit),
    ticks: values.map((value) => ({
      value: value * unit.factor,
      label: whole ? formatCount(value) : words(value),
    })),
    position: (value) => scale(value / unit.factor),
  };
}

/** A logarithmic axis; the domain must be positive. */
export function logAxis({ domain, range, label, unit = noUnit, tickCount = 5, rounded }: AxisOptions): Axis {
  const [low, high] = widen(domain);
  // A little room at either end, since rounding to whole decades would leave most of the plot empty.
  const room = rounded ? (high / low) ** 0.06 : 1;
  const scale = scaleLog([low / room / unit.factor, (high * room) / unit.factor], range);
  const [from, to] = scale.domain() as [number, number];
  const decades = Math.log10(to / from);
  const values = decades < 1 ? scale.ticks(tickCount) : roundValues(from, to, decades);
  const words = values.every((value) => value < 1e5 && value >= 1e-4) ? plain : exponential;
  return {
    label: withUnit(label, unit),
    ticks: values.map((value) => ({ value: value * unit.factor, label: words(value) })),
    position: (value) => scale(value / unit.factor),
  };
}

/** 1, 2, 5 times powers of ten over up to three decades, otherwise powers of ten, at most about seven of them. */
function roundValues(low: number, high: number, decades: number): number[] {
  const mantissas = decades <= 3 ? [1, 2, 5] : [1];
  const stride = Math.ceil(decades / 7);
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % stride !== 0) continue;
    values.push(...mantissas.map((mantissa) => Number(`${mantissa}e${power}`)));
  }
  return values.filter((value) => value >= low && value <= high);
}

function widen([low, high]: readonly [number, number]): readonly [number, number] {
  // Values that agree to nine digits differ by less than a scale can divide.
  if (high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return [low, high];
  return low === 0 ? [0, 1] : [low - Math.abs(low) / 2, high + Math.abs(high) / 2];
}

const exponential = (value: number): string =>
  value === 0 ? "0" : Number(value.toPrecision(6)).toExponential().replace("e+", "e");

const plain = (value: number): string => String(Number(value.toPrecision(6)));
