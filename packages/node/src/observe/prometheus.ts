/** Numbers under their public names, as the text that Prometheus reads (spec: node 11.3). */
import type { Sample } from "./figures.ts";

export interface MetricsAt {
  /** Of every line: whose numbers they are. */
  readonly labels: Readonly<Record<string, string>>;
  /** Wall clock, milliseconds. */
  readonly nowMs: number;
}

/** Rooms that count under names of their own; the others have the public ones already, labels included. */
const NAMES: Readonly<Record<string, string>> = {
  sent_bytes: 'lane_bytes_total{direction="out"}', received_bytes: 'lane_bytes_total{direction="in"}',
  buffered_bytes: "lane_buffered_bytes",
};

/** One line for each number, those of one name together. `stats`: by name, or by `name{label="value"}`. */
export function toPrometheus(stats: Readonly<Record<string, number>>, samples: readonly Sample[], at: MetricsAt): string {
  const metrics = Object.entries(stats).map(([key, value]) => toMetric(key, value, at));
  const lines = [...Map.groupBy(metrics, ({ name }) => name)].flatMap(([name, own]) => [
    `# TYPE ${name} ${name.endsWith("_total") ? "counter" : "gauge"}`,
    ...own.map(({ labels, value }) => `${name}{${labels}} ${value}`),
  ]);
  const histograms = [...Map.groupBy(samples, ({ name }) => name)].flatMap(([name, own]) => [
    `# TYPE atoll_${name} histogram`,
    ...own.flatMap(({ labels, histogram }) => histogram.lines(`atoll_${name}`, labelText({ ...at.labels, ...labels }))),
  ]);
  return `${[...lines, ...histograms].join("\n")}\n`;
}

/** `name{label="value"}`, for names of numbers. */
export function labelled(name: string, label: string, counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([value, count]) => [`${name}{${labelText({ [label]: value })}}`, count]));
}

/** Routes and reasons may have any character. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escape)}"`).join(",");
}

function escape(char: string): string {
  return char === "\n" ? "\\n" : `\\${char}`;
}

interface Metric {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

function toMetric(key: string, value: number, { labels: of, nowMs }: MetricsAt): Metric {
  const labels = labelText(of);
  // Milliseconds inside, seconds outside.
  if (key === "session_expires_at_ms") {
    return { name: "atoll_credential_expires_seconds", labels, value: Math.max(0, (value - nowMs) / 1_000) };
  }
  const [, span, rest] = /^(.+)_ms(_total)?$/.exec(key) ?? [];
  if (span !== undefined) return { name: `atoll_${span}_seconds${rest ?? ""}`, labels, value: value / 1_000 };
  const [, name = key, more] = /^([^{]+)\{(.*)\}$/s.exec(NAMES[key] ?? key) ?? [];
  const plain = more === undefined ? NAMES[key] ?? key : name;
  return { name: `atoll_${plain}`, labels: more === undefined ? labels : `${labels},${more}`, value };
}
