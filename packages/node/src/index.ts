export type { Report, NodeEventMap, NodeEventName, ErrorCategory, PeerFact } from "./hooks/report.ts";
