export { service, type Handlers, type Impl, type Service, type ServiceOptions } from "./service/service.ts";
export {
  route, streamRoute, type AnyRoute, type BusinessError, type In, type Item, type Out, type Route, type RouteOptions,
  type StreamRoute,
} from "./service/route.ts";
export { bytes, json, proto, type Codec, type MessageType, type Schema } from "./service/codec.ts";
export type { StandardSchema } from "./service/standard-schema.ts";
export { err, type Refusal } from "./service/refusal.ts";
export type { Ctx, KvReader, Logger, Tx } from "./service/context.ts";
export type { Hooks } from "./service/hooks.ts";
export type { ImplementOptions } from "./service/linked.ts";
export type { ItemReader } from "./service/items.ts";
export type {
  CallOptions, CallResult, ItemStream, StreamOptions, Talk, TellOptions,
} from "./service/talk.ts";
export type { Target } from "./service/target.ts";
export type { Report, NodeEventMap, NodeEventName, ErrorCategory, PeerFact } from "./hooks/report.ts";
export { createMailboxAdmin, type MailboxAdmin, type MailboxAdminParts } from "./mailbox/mailbox-admin.ts";
export { createNode, type Node, type NodeOptions, type NodeState, type OpenedParts } from "./node.ts";
export type { HostTellOptions, NodeHandle } from "./life/running.ts";
export type { CloseOptions, CloseReport } from "./life/close.ts";
export type { Health } from "./life/health.ts";
export { LoopWatch, type LoopWatchParts } from "./life/loop-watch.ts";
export type { Sample } from "./observe/figures.ts";
export { findTracer } from "./observe/find-tracer.ts";
export type { OpenSpan, SpanPlan, Tracer } from "./observe/tracer.ts";
export { Histogram } from "./observe/histogram.ts";
export { labelled, toPrometheus, type MetricsAt } from "./observe/prometheus.ts";
export type {
  Durability, Network, NetworkContext, NetworkHealth, NodeParts, NodeSettings,
} from "./life/parts.ts";
export type { Rollback, StepName, StepWatch } from "./life/start-scope.ts";
