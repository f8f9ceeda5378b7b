/**
 * Seconds and dates as C's `struct tm` has them, in the Gregorian calendar before and after its beginning,
 * for every year that fits; all times are UTC. A number of any size gives a date or nothing, never an
 * exception.
 */

/**
 * Second, minute, hour, day of the month, month from 0, years since 1900, day of the week from Sunday, day of
 * the year from 0.
 */
export type Fields = readonly [
  second: number, minute: number, hour: number, day: number, month: number, year: number, weekDay: number,
  yearDay: number,
];

const DAY_S = 86_400;
const INT32_MAX = 2 ** 31 - 1;
/** The calendar repeats after 400 years. */
const ERA_DAYS = 146_097;
/** From 0000-03-01, the first day of an era that begins with March, to 1970-01-01. */
const EPOCH_DAY = 719_468;
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
  "November", "December",
];

/** Days from 1970-01-01 to the first of a month; months beyond a year count on. */
function daysToMonth(year: number, month: number): number {
  const months = year * 12 + month - 2;
  const fromMarch = Math.floor(months / 12);
  const inYear = months - fromMarch * 12;
  const era = Math.floor(fromMarch / 400);
  const yearOfEra = fromMarch - era * 400;
  const days = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * ERA_DAYS + days + Math.floor((153 * inYear + 2) / 5) - EPOCH_DAY;
}

/** Fields of a number of seconds since 1970; years beyond 32 bits become the last one that fits. */
export function toFields(seconds: bigint): Fields {
  const ofDay = Number(((seconds % BigInt(DAY_S)) + BigInt(DAY_S)) % BigInt(DAY_S));
  const days = Number((seconds - BigInt(ofDay)) / BigInt(DAY_S));
  const fromEra = days + EPOCH_DAY;
  const era = Math.floor(fromEra / ERA_DAYS);
  const dayOfEra = fromEra - era * ERA_DAYS;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524)
    - Math.floor(dayOfEra / 146_096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 2 : fromMarch - 10;
  const year = era * 400 + yearOfEra + (month < 2 ? 1 : 0);
  const since1900 = Math.max(-INT32_MAX, Math.min(INT32_MAX, year - 1900));
  return [
    ofDay % 60, Math.floor(ofDay / 60) % 60, Math.floor(ofDay / 3600),
    dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1, month,
    since1900, (((days + 4) % 7) + 7) % 7, days - daysToMonth(year, 0),
  ];
}

/**
 * Seconds since 1970 of fields that may be out of their ranges; undefined when the year does not fit 32 bits.
 */
export function toSeconds(tm: readonly number[]): bigint | undefined {
  const [second, minute, hour, day, month, year] = tm as Fields;
  const days = daysToMonth(year + 1900, month) + day - 1;
  const total = BigInt(days) * BigInt(DAY_S) + BigInt(hour * 3600 + minute * 60 + second);
  const fits = Math.abs(toFields(total)[5]) < INT32_MAX;
  return fits ? total : undefined;
}

function isoWeek(f: Fields): { year: number; week: number } {
  const year = f[5] + 1900;
  // the weekday of the last day of a year says whether it has 53 weeks
  const last = (y: number): number =>
    (((y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400)) % 7) + 7) % 7;
  const weeks = (y: number): number => (last(y) === 4 || last(y - 1) === 3 ? 53 : 52);
  const week = Math.floor((f[7] + 1 - (f[6] === 0 ? 7 : f[6]) + 10) / 7);
  if (week < 1) return { year: year - 1, week: weeks(year - 1) };
  return week > weeks(year) ? { year: year + 1, week: 1 } : { year, week };
}

function pad(n: number, width = 2, fill = "0"): string {
  return n < 0 ? `-${pad(-n, width - 1, fill)}` : String(n).padStart(width, fill);
}

type Conversion = (f: Fields) => string;
const as = (format: string): Conversion => (f) => formatTime(format, f);

/** The conversions of C99 in the C locale. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  a: (f) => (DAYS[f[6]] as string).slice(0, 3), A: (f) => DAYS[f[6]] as string,
  b: (f) => (MONTHS[f[4]] as string).slice(0, 3), h: (f) => (MONTHS[f[4]] as string).slice(0, 3),
  B: (f) => MONTHS[f[4]] as string,
  c: as("%a %b %e %H:%M:%S %Y"), C: (f) => pad(Math.floor((f[5] + 1900) / 100)), d: (f) => pad(f[3]),
  D: as("%m/%d/%y"),
  e: (f) => pad(f[3], 2, " "), F: as("%Y-%m-%d"), g: (f) => pad(((isoWeek(f).year % 100) + 100) % 100),
  G: (f) => String(isoWeek(f).year),
  H: (f) => pad(f[2]), I: (f) => pad(((f[2] + 11) % 12) + 1), j: (f) => pad(f[7] + 1, 3),
  m: (f) => pad(f[4] + 1), M: (f) => pad(f[1]),
  n: () => "\n", p: (f) => (f[2] < 12 ? "AM" : "PM"), r: as("%I:%M:%S %p"), R: as("%H:%M"),
  S: (f) => pad(f[0]),
  s: (f) => String(toSeconds(f) ?? 0), t: () => "\t", T: as("%H:%M:%S"),
  u: (f) => String(f[6] === 0 ? 7 : f[6]),
  U: (f) => pad(Math.floor((f[7] + 7 - f[6]) / 7)), V: (f) => pad(isoWeek(f).week), w: (f) => String(f[6]),
  W: (f) => pad(Math.floor((f[7] + 7 - ((f[6] + 6) % 7)) / 7)), x: as("%m/%d/%y"), X: as("%H:%M:%S"),
  y: (f) => pad((((f[5] + 1900) % 100) + 100) % 100), Y: (f) => String(f[5] + 1900), z: () => "+0000",
  Z: () => "UTC", "%": () => "%",
};

/** strftime; a conversion that is none gives nothing. */
export function formatTime(format: string, f: Fields): string {
  return format.replace(/%[EO]?(.)/gs, (_, key: string) => CONVERSIONS[key]?.(f) ?? "");
}
